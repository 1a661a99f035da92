import { type Browser, chromium, type Page } from "playwright-core";

/** Playwright's own builds are not downloaded: this is the system's. */
const PROGRAM = "/usr/bin/chromium";

/** A page that is watched: what it logs, what it is refused, and whom it asks. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors and warnings of the console, and exceptions. */
  readonly errors: string[];
  /** Addresses that were asked for. */
  readonly requests: string[];
  /** What the Content-Security-Policy has refused. */
  violations(): Promise<string[]>;
}

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
  /** Lets a test add scripts of its own. */
  readonly bypassCSP?: boolean;
}

/** A real browser without a window. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async start(): Promise<TestBrowser> {
    const browser = await chromium.launch({
      executablePath: PROGRAM,
      // Chromium's sandbox refuses root.
      args: Deno.uid() === 0 ? ["--no-sandbox"] : [],
    });
    return new TestBrowser(browser);
  }

  /** A page in a profile of its own. */
  async open(options: PageOptions = {}): Promise<WatchedPage> {
    const { width = 1280, height = 900, colorScheme = "light" } = options;
    const context = await this.#browser.newContext({
      viewport: { width, height },
      colorScheme,
      bypassCSP: options.bypassCSP ?? false,
      reducedMotion: "reduce",
    });
    const page = await context.newPage();
    const errors: string[] = [];
    const requests: string[] = [];
    page.on("console", (message) => {
      const type = message.type();
      if (type === "error" || type === "warning") errors.push(message.text());
    });
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("request", (request) => requests.push(request.url()));
    await page.addInitScript(`
      globalThis.violations = [];
      addEventListener("securitypolicyviolation", (event) =>
        violations.push(event.violatedDirective + " " + event.blockedURI));
    `);
    return {
      page,
      errors,
      requests,
      violations: () => page.evaluate("globalThis.violations"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
