// W1 on Node's own HTTP server: the script that the other comparisons run.
import http from "node:http";
import fs from "node:fs";
import vm from "node:vm";

const script = fs.readFileSync(process.argv[2], "utf8");
const best = vm.runInThisContext(script + "\n;best");

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", part => parts.push(part));
  request.on("end", () => {
    const answer = JSON.stringify(best(JSON.parse(Buffer.concat(parts).toString("utf8"))));
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(answer) });
    response.end(answer);
  });
});
server.keepAliveTimeout = 60000;
server.listen(0, "127.0.0.1", () => console.log(`listening 127.0.0.1:${server.address().port}`));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
