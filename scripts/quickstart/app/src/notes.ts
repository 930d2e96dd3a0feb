import { appendFile, readFile } from "node:fs/promises";

/** One line of the notebook. */
export interface Note {
  text: string;
  at: string;
}

// `data/` is linked into every release, so notes outlive the release that took them. `migrations/run.sh` makes the file.
const file = "data/notes.jsonl";

export async function allNotes(): Promise<Note[]> {
  const content = await readFile(file, "utf8");
  return content
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Note);
}

export async function addNote(text: string): Promise<Note> {
  const note = { text, at: new Date().toISOString() };
  await appendFile(file, JSON.stringify(note) + "\n");
  return note;
}
