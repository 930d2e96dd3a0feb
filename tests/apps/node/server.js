// A web app with nothing but Node: says what version.txt says on $PORT, and finishes what is in flight on SIGTERM.
const fs = require("node:fs");
const http = require("node:http");

const version = fs.readFileSync("version.txt", "utf8").trim();

const server = http.createServer((request, response) => {
  if (request.url === "/api/health") {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ status: "ok", version }) + "\n");
  } else {
    response.end(version + "\n");
  }
});

server.listen(Number(process.env.PORT), "127.0.0.1", () => console.log(`${version} listens`));
process.once("SIGTERM", () => {
  server.close();
  server.closeIdleConnections();
});
