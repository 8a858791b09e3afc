/** `write-behind serve` as it is, in a world whose disk fails: `node faulty-serve.js serve FLAGS`, FAULT in the environment. */
import { Command } from "commander";
import { addCommonFlags, addOptionFlags, type Flags } from "../src/cli/config.js";
import { report } from "../src/cli/exit.js";
import { serve } from "../src/cli/serve.js";
import { nodeHost } from "../src/host/node-host.js";
import { faultyDisk, type Fault } from "./faulty-disk.js";

const host = nodeHost();
const faulty = { ...host, disk: faultyDisk(host.disk, process.env["FAULT"] as Fault) };
const command = addOptionFlags(addCommonFlags(new Command("serve"))).action(async (flags: Flags) => {
  process.exit(await serve(flags, faulty).catch((error: unknown) => report(error, false)));
});
await command.parseAsync(process.argv.slice(3), { from: "user" });
