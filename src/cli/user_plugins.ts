import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Config, ConfigError } from "../config/mod.ts";
import type { Plugin } from "../plugin/mod.ts";

/**
 * Loads the `[[plugin]]` modules, paths relative to the configuration file. A
 * module's default export is the plugin.
 *
 * @throws {ConfigError} naming the module that is no plugin.
 */
export async function loadUserPlugins(
  config: Config,
  configPath: string,
): Promise<Plugin[]> {
  const plugins: Plugin[] = [];
  for (const [index, { path }] of config.plugin.entries()) {
    const url = pathToFileURL(resolve(dirname(configPath), path)).href;
    const problem = (message: string) =>
      new ConfigError([{
        file: configPath,
        line: 0,
        key: `plugin[${index}].path`,
        message: `"${path}" ${message}`,
      }]);
    let loaded: { default?: Partial<Plugin> };
    try {
      loaded = await import(url);
    } catch (error) {
      throw problem(`can't be loaded: ${(error as Error).message}`);
    }
    const plugin = loaded.default;
    if (
      typeof plugin?.id !== "string" ||
      typeof plugin.create !== "function" ||
      typeof plugin.parseConfig !== "function"
    ) {
      throw problem(
        "has no plugin as its default export (id, parseConfig, create)",
      );
    }
    plugins.push(plugin as Plugin);
  }
  return plugins;
}
