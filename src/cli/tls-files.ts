/** The files of TLS: read, and checked as far as can be before somebody connects. Nothing of a key is ever shown. */
import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TlsMaterial } from "../host/sockets.js";
import { flagOf } from "../options-resolve.js";
import type { OptionName, Options } from "../options.js";
import { CliError, exitCodes } from "./exit.js";

/** The options that name files of TLS. */
export type TlsOptions = Pick<Options, "tlsCert" | "tlsKey" | "tlsClientCa">;

/** What a port speaks TLS with; null where no certificate is named. Throws CONFIG: the file, its flag, what to do. */
export function readTls(options: TlsOptions): TlsMaterial | null {
  const { tlsCert, tlsKey, tlsClientCa } = options;
  if (tlsCert === null || tlsKey === null) return null;
  return { ...readPair(tlsCert, tlsKey), clientCa: tlsClientCa === null ? null : readCa("tlsClientCa", tlsClientCa) };
}

/** A certificate and the key that belongs to it. */
export function readPair(certFile: string, keyFile: string): Pick<TlsMaterial, "cert" | "key"> {
  const cert = readFile(flagOf("tlsCert"), certFile);
  const key = readFile(flagOf("tlsKey"), keyFile);
  const certificate = parseCertificate(flagOf("tlsCert"), certFile, cert);
  if (!certificate.checkPrivateKey(parseKey(keyFile, key)))
    throw bad(
      `${flagOf("tlsKey")}: the key in ${keyFile} is not the one of the certificate in ${certFile}`,
      `name the two files that were made together, ${flagOf("tlsCert")} FILE ${flagOf("tlsKey")} FILE; the server's own certificate comes first in its file`,
    );
  return { cert, key };
}

/** The certificate of an authority. `flag` names the option, or the flag itself. */
export function readCa(flag: OptionName | `--${string}`, file: string): Buffer {
  const name = flag.startsWith("--") ? flag : flagOf(flag as OptionName);
  const ca = readFile(name, file);
  parseCertificate(name, file, ca);
  return ca;
}

function readFile(flag: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    throw bad(
      `${flag}: the file ${file} cannot be read (${code})`,
      code === "EACCES" ? `let the user of this process read ${file}` : `name a file in the form PEM: ${flag} FILE`,
    );
  }
}

function parseCertificate(flag: string, file: string, pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw bad(`${flag}: ${file} holds no certificate`, "it must begin with -----BEGIN CERTIFICATE----- (PEM)");
  }
}

function parseKey(file: string, pem: Buffer): KeyObject {
  const flag = flagOf("tlsKey");
  if (pem.includes("ENCRYPTED"))
    throw bad(
      `${flag}: the key in ${file} is locked with a passphrase`,
      `openssl pkey -in ${file} -out FILE writes it without one; keep that file to the user of this process`,
    );
  try {
    return createPrivateKey(pem);
  } catch {
    throw bad(`${flag}: ${file} holds no private key`, "it must begin with -----BEGIN PRIVATE KEY----- (PEM)");
  }
}

function bad(message: string, hint: string): CliError {
  return new CliError(exitCodes.usage, message, hint, "CONFIG");
}
