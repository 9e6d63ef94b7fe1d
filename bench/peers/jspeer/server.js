// Node's half of the peer: reads one JSON command a line and answers with one
// line. The decisions stand above it in the same script.
//
//   {"do": "load", "function": "best", "inputs": ["…"]}    {"ok": true}
//   {"do": "answer", "input": "…"}                         {"answer": "…"}
//   {"do": "time", "mode": "e2e", "n": 100}                {"micros": 731}
//
// Micros is the CPU time that process.cpuUsage gives for the n requests, the
// compiler's and collector's threads included.

const decisions = { best, allow, floatLoop, hashLoop, sumLoop, fibonacci };

let decide, bodies, decoded, next = 0;
let kept; // so that no result can be dropped

const commands = {
  load({ function: name, inputs }) {
    decide = decisions[name];
    bodies = inputs.map((text) => Buffer.from(text)); // as they come off a socket
    decoded = JSON.parse(inputs[0]);
    next = 0;
    return { ok: decide !== undefined };
  },
  answer({ input }) {
    return { answer: JSON.stringify(decide(JSON.parse(input))) };
  },
  time({ mode, n }) {
    const before = process.cpuUsage();
    if (mode === "logic") {
      for (let i = 0; i < n; i++) kept = decide(decoded);
    } else {
      for (let i = 0; i < n; i++) {
        kept = JSON.stringify(decide(JSON.parse(bodies[next].toString())));
        if (++next === bodies.length) next = 0;
      }
    }
    const used = process.cpuUsage(before);
    return { micros: used.user + used.system };
  },
};

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const command = JSON.parse(line);
  process.stdout.write(JSON.stringify(commands[command.do](command)) + "\n");
});
