// Asks a softspoken server what an utterance means: node parse.mjs ADDRESS TEXT...
// No generated code: the service is read from the .proto at run time.
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PROTO = fileURLToPath(new URL("../../../proto/softspoken/nlu/v1/nlu.proto", import.meta.url));
const DEADLINE_MS = 5000; // an answer takes milliseconds; the first call also connects

function connect(address) {
  const definition = loadSync(PROTO, { enums: String, defaults: true, oneofs: true });
  const { NluService } = grpc.loadPackageDefinition(definition).softspoken.nlu.v1;
  return new NluService(address, grpc.credentials.createInsecure());
}

function parse(client, text) {
  // Offsets in UTF-16 units, so that text.slice(start, end) is right for emoji too.
  const request = { text, options: { offsetUnit: "OFFSET_UNIT_UTF16_UNITS" } };
  const deadline = new Date(Date.now() + DEADLINE_MS);
  return new Promise((resolve, reject) => {
    client.parse(request, { deadline }, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd()).join("\n");
}

function rankingTable(response) {
  const rows = [["SKILL", "OUTCOME", "INTENT", "CONFIDENCE"]];
  for (const { skill, outcome, intent } of response.results) {
    const first = [`${skill.name}@${skill.version}`, outcome.replace("OUTCOME_", "")];
    const ranking = intent?.ranking ?? [];
    if (ranking.length === 0) rows.push([...first, "-", "-"]);
    ranking.forEach(({ name, confidence }, place) => {
      rows.push([...(place === 0 ? first : ["", ""]), name, `${(100 * confidence).toFixed(1)} %`]);
    });
  }
  return table(rows);
}

const [address, ...words] = process.argv.slice(2);
if (words.length === 0) {
  console.error('usage: node parse.mjs ADDRESS TEXT...   e.g. node parse.mjs localhost:50051 "I lost my card"');
  process.exit(2);
}
const client = connect(address);
try {
  console.log(rankingTable(await parse(client, words.join(" "))));
} catch (error) {
  const remedy = error.code === grpc.status.UNAVAILABLE ? `; is a server running at ${address}?` : "";
  console.error(`${grpc.status[error.code] ?? "ERROR"}: ${error.details ?? error.message}${remedy}`);
  process.exitCode = 1;
} finally {
  client.close();
}
