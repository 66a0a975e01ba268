// Forecasts and a session from Node: node client.mjs ADDRESS MODEL FILE.csv
//
// The file has the columns ds and y, an hour a row. Prints one JSON document.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

// Where the protos are, unless the environment says.
const proto = process.env.LONGCAST_PROTO ?? fileURLToPath(new URL("../../../proto", import.meta.url));
const files = ["longcast/v1/forecast_service.proto", "longcast/v1/session_service.proto"];
// Stamps in nanoseconds do not fit into a JavaScript number: they stay text.
const definition = loader.loadSync(files, { includeDirs: [proto], longs: String, enums: String, defaults: true, oneofs: true });
const { longcast } = grpc.loadPackageDefinition(definition);

function series(path) {
  const [, ...rows] = readFileSync(path, "utf8").trim().split("\n").map((line) => line.split(","));
  const start = BigInt(Date.parse(rows[0][0].replace(" ", "T") + "Z")) * 1_000_000n;
  const axis = { regular: { startUnixNano: start.toString(), stepNano: "3600000000000" } };
  return { seriesId: "load", axis, values: rows.map(([, y]) => (y === "" ? NaN : Number(y))) };
}

function call(client, method, request) {
  const deadline = new Date(Date.now() + 10_000);
  return new Promise((resolve, reject) =>
    client[method](request, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer))),
  );
}

/** Streams values into a session; the answer is the last forecast. */
function stream(client, session, values) {
  return new Promise((resolve, reject) => {
    const duplex = client.streamSession({ deadline: new Date(Date.now() + 60_000) });
    let newest = null;
    duplex.on("data", (answer) => {
      if (answer.payload === "opened") {
        duplex.write({ observations: { firstSequence: answer.opened.nextSequence, values } });
      } else if (answer.payload === "update") {
        newest = answer.update;
      } else if (answer.payload === "ack" && Number(answer.ack.appliedThrough) >= values.length) {
        duplex.end();
      }
    });
    duplex.on("error", reject);
    duplex.on("end", () => resolve(newest));
    duplex.write({ open: { session, epoch: "0" } });
  });
}

const [address, model, path] = process.argv.slice(2);
const credentials = grpc.credentials.createInsecure();
const forecasts = new longcast.v1.ForecastService(address, credentials);
const sessions = new longcast.v1.SessionService(address, credentials);
const history = series(path);
const spec = { horizon: 24, intervalCoverages: [0.8] };

const { forecast } = await call(forecasts, "forecast", { model, series: history, spec });
const refused = await call(forecasts, "forecast", { model: "models/nobody", series: history, spec }).catch((error) => error);

const start = { seriesId: "load", axis: history.axis };
const emit = { everyObservations: 1, slowConsumer: "SLOW_CONSUMER_BLOCK" };
const { session } = await call(sessions, "createSession", { model, history: [start], spec: { horizon: 3 }, emit });
const last = await stream(sessions, session.name, history.values);
await call(sessions, "deleteSession", { name: session.name });

console.log(
  JSON.stringify({
    revision: forecast.modelRevision,
    mean: forecast.mean,
    refused: grpc.status[refused.code],
    asOf: Number(last.asOfSequence),
    streamed: last.result.mean,
  }),
);
forecasts.close();
sessions.close();
