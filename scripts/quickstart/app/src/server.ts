import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { addNote, allNotes } from "./notes.js";
import { version } from "./version.js";

const app = new Hono();

app.get("/", (c) => c.text(`notebook ${version}\n`));
app.get("/api/health", (c) => c.json({ status: "ok", version }));
app.get("/notes", async (c) => c.json(await allNotes()));
app.post("/notes", async (c) => {
  const text = (await c.req.text()).trim();
  if (text === "" || text.length > 1000) {
    return c.json({ error: "a note has 1 to 1000 characters" }, 400);
  }
  return c.json(await addNote(text), 201);
});

const port = Number(process.env.PORT ?? 3000);
const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port }, () => {
  console.log(`notebook ${version} listens on 127.0.0.1:${port}`);
});

// Requests in flight are answered; idle connections are closed; then the process ends by itself.
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    console.log(`${signal}: finishing what is in flight`);
    server.close();
  });
}
