/** Gives fast-check the seed of the round. */
import { configureGlobal } from "fast-check";

configureGlobal({ seed: Number(process.env["PROPERTY_SEED"]) | 0 });
