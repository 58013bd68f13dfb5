// Looks at pages: a picture of each at desktop and phone width, light and dark, and an accessibility check with axe-core.
//
//   node look.mjs --out DIR --dir GALLERY_DIR                      every page of the gallery (its pages.txt)
//   node look.mjs --out DIR --base https://localhost:8443 --user NAME --password-file F /admin /admin/devices …
//
// --recover DIGITS also fills in the help desk's form with the first digits of a key ID, and looks at the answer.
// Options: --only TEXT (pages whose path has it), --no-pictures, --insecure (a server with its own certificate), --axe-all (also minor faults).
// Ends with 1 when a page has a serious or critical fault, breaks the content security policy, scrolls sideways, has texts that lie on each other or
// are cut off, or fails to load.
import { createServer } from "node:http";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { createRequire } from "node:module";
import puppeteer from "puppeteer-core";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const CSP = "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844, isMobile: true, hasTouch: true, deviceScaleFactor: 2 } };

function options(argv) {
  const found = { paths: [] };
  for (let i = 0; i < argv.length; i++) {
    const name = argv[i].startsWith("--") ? argv[i].slice(2) : null;
    if (name === null) found.paths.push(argv[i]);
    else if (["no-pictures", "insecure", "axe-all"].includes(name)) found[name] = true;
    else found[name] = argv[++i];
  }
  if (!found.out || (!found.dir && !found.base)) throw new Error("usage: look.mjs --out DIR (--dir GALLERY | --base URL [--user NAME --password-file F]) [PATH…]");
  return found;
}

function serve(dir) {
  const types = { ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".woff2": "font/woff2" };
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
    try {
      const body = readFileSync(join(dir, path));
      response.writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream", "content-security-policy": CSP });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server)));
}

async function signIn(browser, base, user, passwordFile) {
  const page = await browser.newPage();
  await page.goto(`${base}/login`);
  await page.type("#name", user);
  await page.type("#password", readFileSync(passwordFile, "utf8").trim());
  await Promise.all([page.waitForNavigation(), page.click("main form button[type=submit]")]);
  if (new URL(page.url()).pathname === "/login") throw new Error(`cannot sign in as ${user}`);
  await page.close();
}

// The page with a recovery password is the answer to a form, so the form is filled in and sent.
async function recover(page, digits) {
  await page.type("#key_id", digits);
  await page.select("#reason", "Other");
  await Promise.all([page.waitForNavigation(), page.click("main form button[type=submit]")]);
  if ((await page.$(".digits")) === null) throw new Error("no recovery password was shown");
}

// Runs in the page: texts that lie on each other, and texts that something cuts off.
function unreadable() {
  const faults = [];
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest("script, style, svg, option, textarea, .visually-hidden") || !parent.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const rects = [...range.getClientRects()].filter((rect) => rect.width > 2 && rect.height > 2);
    let hidden = false;
    for (let box = parent; box && box !== document.body; box = box.parentElement) {
      const style = getComputedStyle(box);
      const around = box.getBoundingClientRect();
      if (around.width <= 1.5 || around.height <= 1.5) hidden = true;
      const cuts = (value) => value === "hidden" || value === "clip";
      const out = rects.find((rect) => (cuts(style.overflowX) && (rect.right > around.right + 1 || rect.left < around.left - 1)) || (cuts(style.overflowY) && (rect.bottom > around.bottom + 2 || rect.top < around.top - 2)));
      if (out && !hidden && style.textOverflow !== "ellipsis") faults.push(`cut off: "${node.data.trim().slice(0, 60)}" by ${box.tagName.toLowerCase()}.${box.className}`);
    }
    if (!hidden) texts.push({ node, parent, rects, text: node.data.trim().slice(0, 40) });
  }
  const onTop = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5;
  for (const [index, one] of texts.entries()) {
    const floats = one.parent.closest("header.topbar, [data-floats]");
    for (const other of texts.slice(index + 1)) {
      if (floats !== other.parent.closest("header.topbar, [data-floats]")) continue;
      if (one.rects.some((rect) => other.rects.some((rival) => onTop(rect, rival)))) faults.push(`on each other: "${one.text}" and "${other.text}"`);
    }
  }
  for (const control of document.querySelectorAll("button, .btn, .tag, th, td, dd, dt, h1, h2, h3")) {
    if (control.checkVisibility() && control.clientWidth > 2 && control.scrollWidth > control.clientWidth + 2) faults.push(`wider than its place: "${control.textContent.trim().slice(0, 60)}"`);
  }
  for (const bar of document.querySelectorAll("progress, svg")) {
    const { width, height } = bar.getBoundingClientRect();
    if (bar.checkVisibility() && (width < 3 || height < 3)) faults.push(`no size: ${bar.tagName.toLowerCase()} in ${bar.parentElement.className}`);
  }
  return [...new Set(faults)].slice(0, 8);
}

async function look(browser, base, path, size, scheme, opts, then) {
  const faults = [];
  const page = await browser.newPage();
  const missing = /missing/.test(path);
  page.on("console", (message) => message.type() === "error" && !(missing && /status of 404/.test(message.text())) && faults.push(`console: ${message.text()}`));
  page.on("requestfailed", (request) => faults.push(`not loaded: ${request.url()} ${request.failure()?.errorText}`));
  await page.setViewport(SIZES[size]);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  const answer = await page.goto(base + path, { waitUntil: "load" });
  if (answer.status() !== (missing ? 404 : 200)) faults.push(`status ${answer.status()}`);
  if (then) await then(page);
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (sideways > 0) faults.push(`scrolls sideways by ${sideways} px`);
  faults.push(...(await page.evaluate(unreadable)));
  if (!opts["no-pictures"]) {
    const name = (then ? "recovered" : path).replace(/^\//, "").replace(/\.html$/, "").replace(/[^A-Za-z0-9-]+/g, "_") || "root";
    await page.screenshot({ path: join(opts.out, `${name}.${size}.${scheme}.png`), fullPage: true });
  }
  await page.evaluate(axeSource);
  const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const violation of result.violations) {
    const grave = ["serious", "critical"].includes(violation.impact);
    if (!grave && !opts["axe-all"]) continue;
    const nodes = violation.nodes.slice(0, 3).map((node) => `${node.target.join(" ")} — ${node.any.concat(node.all).map((check) => check.message)[0] ?? ""}`);
    faults.push(`axe ${violation.impact}: ${violation.id}: ${nodes.join(" | ")}`);
  }
  await page.close();
  return faults;
}

const opts = options(process.argv.slice(2));
mkdirSync(opts.out, { recursive: true });
const profile = mkdtempSync(join(tmpdir(), "claviger-look-"));
const server = opts.dir ? await serve(opts.dir) : null;
const base = server ? `http://127.0.0.1:${server.address().port}` : opts.base.replace(/\/$/, "");
const listed = opts.dir && opts.paths.length === 0 ? readFileSync(join(opts.dir, "pages.txt"), "utf8").trim().split("\n") : opts.paths;
const paths = listed.filter((path) => !opts.only || path.includes(opts.only));
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  userDataDir: profile,
  acceptInsecureCerts: Boolean(opts.insecure),
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
let bad = 0;
let looks = 0;
try {
  if (opts.user) await signIn(browser, base, opts.user, opts["password-file"]);
  const steps = paths.map((path) => [path, null]);
  if (opts.recover) steps.push(["/helpdesk", (page) => recover(page, opts.recover)]);
  for (const [path, then] of steps) {
    for (const size of Object.keys(SIZES)) {
      for (const scheme of ["light", "dark"]) {
        looks += 1;
        const faults = await look(browser, base, path, size, scheme, opts, then).catch((error) => [String(error)]);
        if (faults.length > 0) bad += 1;
        for (const fault of faults) console.log(`${path} ${size} ${scheme}: ${fault}`);
      }
    }
  }
} finally {
  await browser.close();
  server?.close();
  rmSync(profile, { recursive: true, force: true });
}
console.log(`${paths.length} pages, ${looks} looks, ${bad} with faults`);
process.exit(bad > 0 ? 1 : 0);
