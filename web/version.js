/** The SDK's version, as the server is told. */
export const VERSION = "0.1.0";
