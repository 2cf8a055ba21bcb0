// Opens the page at the URL given as the first argument in a real browser and
// writes what the page tells as lines of JSON, until standard input ends. A
// line {"run": "CODE"} is run in the page.
import { createInterface } from "node:readline";
import puppeteer from "puppeteer-core";

const say = o => process.stdout.write(JSON.stringify(o) + "\n");
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
try {
  const page = await browser.newPage();
  page.on("console", m => process.stderr.write(`page: ${m.text()}\n`));
  await page.exposeFunction("emit", say);
  await page.goto(process.argv[2]);
  for await (const line of createInterface({ input: process.stdin })) {
    await page.evaluate(JSON.parse(line).run);
  }
} catch (e) {
  say({ client: "driver", event: "error", text: String(e) });
} finally {
  await browser.close();
}
