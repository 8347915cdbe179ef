// The tests and the scores of MDN's HTTP Observatory on pages of a server at any address.
// Called by tools/scan-headers.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";

const [base, least, httpPort] = process.argv.slice(2);
const home = process.env.OBSERVATORY;
// A list of names that browsers know; no name under test is on it.
const list = `${home}/conf/hsts-preload.json`;
if (!existsSync(list)) {
  mkdirSync(`${home}/conf`, { recursive: true });
  writeFileSync(list, "{}");
}
const part = (name) => import(`${home}/src/${name}`);
const { retrieve } = await part("retriever/retriever.js");
const { ALL_TESTS } = await part("constants.js");
const { getGradeForScore, getScoreDescription, getScoreModifier } = await part("grader/grader.js");
const { MINIMUM_SCORE_FOR_EXTRA_CREDIT } = await part("grader/charts.js");

/** As the package's own scan adds up: extra points count only where nothing much is lost. */
function grade(results) {
  const points = results.map((result) => getScoreModifier(result.result));
  const sum = (list) => list.reduce((a, b) => a + b, 100);
  const without = sum(points.filter((point) => point < 0));
  return getGradeForScore(without >= MINIMUM_SCORE_FOR_EXTRA_CREDIT ? sum(points) : without);
}

async function scan(path) {
  const url = new URL(path, base);
  const tls = url.protocol === "https:";
  const ports = tls ? { httpsPort: url.port, httpPort: httpPort || "1" } : { httpPort: url.port, httpsPort: "1" };
  const answers = await retrieve(url.hostname, { ...ports, path });
  if (!answers.responses.auto) throw new Error(`${url} does not answer`);
  const results = ALL_TESTS.map((test) => test(answers));
  const { score, grade: letter } = grade(results);
  console.log(`${url}  ${score}  ${letter}`);
  for (const result of results) {
    const points = getScoreModifier(result.result);
    console.log(`  ${String(points).padStart(4)}  ${result.pass ? "pass" : "FAIL"}  ${result.result}: ${getScoreDescription(result.result)}`);
  }
  return score;
}

const scores = [];
for (const path of ["/login", "/"]) scores.push(await scan(path));
if (Math.min(...scores) < Number(least)) {
  console.error(`scan-headers: ${Math.min(...scores)} is below ${least}`);
  process.exit(1);
}
