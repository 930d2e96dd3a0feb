/** What `/` and `/api/health` say; the one line that the quickstart's second push changes. */
export const version = "1.0.0";
