/** The exported suites: what every host and every store must do. */
export { hostContract, type ContractCase, type HostUnderTest } from "./host.js";
export { mappedStoreContract, storeContract, type MappedStoreWorld, type StoreCase, type StoreWorld } from "./store.js";
