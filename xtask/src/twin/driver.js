// Runs scripts through web/device.js: a script a line comes in, what the machine did a line goes out.
// A script: {user, device, seed, steps}; a step is [now, message], or {restart: seed} (a new process with what was kept),
// or {handover: seed} (another tab takes over). A result: for each step [outputs, timeout, the call it is in, whether its
// end was asked for].
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { DeviceSession } = await import(pathToFileURL(process.argv[2]).href);

/** JSON with its keys in order, as Rust writes it. @param {any} value @returns {any} */
const sorted = (value) => {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
};

/** @param {{user: string, device: string, seed: string, steps: any[]}} script */
function run({ user, device, seed, steps }) {
  let session = new DeviceSession({ user, device, seed });
  let persisted;
  return steps.map((step) => {
    let outputs = [];
    if (step.restart) session = new DeviceSession({ user, device, seed: step.restart, persisted });
    else if (step.handover) session = new DeviceSession({ user, device, seed: step.handover, snapshot: session.snapshot() });
    else outputs = session.input(step[0], step[1]);
    persisted = outputs.find((o) => o.type === 'persist')?.state ?? persisted;
    return [outputs, session.pollTimeout(), session.inCall(), session.endAsked(session.inCall())];
  });
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  let result;
  try {
    result = sorted(run(JSON.parse(line)));
  } catch (error) {
    result = { threw: String(error?.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
