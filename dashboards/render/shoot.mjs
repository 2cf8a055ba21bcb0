// Draws all dashboards from a running Prometheus:
//   node shoot.mjs PROMETHEUS_URL DASHBOARDS_DIR OUT_DIR SECONDS
// "make dashboards-png" calls it.
import { build } from 'esbuild';
import { readdirSync, readFileSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import puppeteer from 'puppeteer-core';

const [prometheus, boards, out, seconds] = process.argv.slice(2);
const here = import.meta.dirname;
const uplot = join(dirname(createRequire(createRequire(import.meta.url).resolve('@grafana/ui')).resolve('uplot')), 'uPlot.min.css');

// Their .mjs files import CommonJS packages as Node would, which leaves out the
// default exports that these mean; their .cjs files do not.
const common = {
  name: 'common',
  setup: (b) => b.onResolve({ filter: /^@grafana\/(data|i18n|schema|ui)$/ }, (a) => ({ path: join(here, 'node_modules', a.path, 'dist/cjs/index.cjs') })),
};

const bundle = await build({
  entryPoints: [join(here, 'page.tsx')], bundle: true, write: false, minify: !process.env.DEBUG, format: 'iife', jsx: 'automatic', logLevel: 'error', plugins: [common],
  define: { 'process.env.NODE_ENV': process.env.DEBUG ? '"development"' : '"production"', 'process.env': '{}', global: 'window' },
  loader: { '.svg': 'text', '.png': 'dataurl', '.woff': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl', '.gif': 'dataurl' },
  outdir: 'out',
});
const bundled = (ending) => bundle.outputFiles.find((f) => f.path.endsWith(ending))?.text ?? '';
const script = bundled('.js');
const html = `<!doctype html><meta charset="utf-8"><style>${readFileSync(uplot, 'utf8')}
${bundled('.css')}
body { margin: 0; background: #111217; font-family: Inter, "DejaVu Sans", sans-serif; } </style>
<div id="root"></div><script>window.grafanaBootData = {settings: {featureToggles: {}}, user: {}}</script><script src="/page.js"></script>`;

const server = createServer(async (req, res) => {
  const url = new URL(req.url, 'http://here');
  if (url.pathname.startsWith('/prom/')) {
    const answer = await fetch(prometheus + url.pathname.slice(5) + url.search);
    res.end(Buffer.from(await answer.arrayBuffer()));
  } else if (url.pathname.startsWith('/board/')) {
    res.end(readFileSync(join(boards, url.pathname.slice(7))));
  } else if (url.pathname === '/page.js') {
    res.setHeader('Content-Type', 'text/javascript');
    res.end(script);
  } else {
    res.setHeader('Content-Type', 'text/html');
    res.end(html);
  }
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const base = `http://127.0.0.1:${server.address().port}/`;

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});
mkdirSync(out, { recursive: true });
const to = Math.floor(Date.now() / 2000) * 2 - 2, from = to - Number(seconds);
let failed = 0;
for (const file of readdirSync(boards).filter((f) => f.endsWith('.json'))) {
  const name = file.slice(0, -5);
  const page = await browser.newPage();
  page.on('pageerror', (e) => { failed++; console.error(name, e.message); });
  await page.setViewport({ width: 1432, height: 1200, deviceScaleFactor: 1 });
  await page.goto(`${base}?board=${name}&from=${from}&to=${to}`);
  const board = await page.waitForSelector('#board', { timeout: 30_000 });
  await page.waitForNetworkIdle({ idleTime: 1500 });
  await new Promise((done) => setTimeout(done, 2500)); // graphs are drawn a frame or two later
  await board.screenshot({ path: join(out, name + '.png') });
  await page.close();
  console.log(name);
}
await browser.close();
server.close();
process.exit(failed ? 1 : 0);
