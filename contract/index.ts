/** The exported suites: what every store must do. */
export { storeContract, type StoreCase, type StoreWorld } from "./store.js";
