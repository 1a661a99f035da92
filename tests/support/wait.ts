export { waitFor } from "../../src/cli/demo/wait.ts";
