/**
 * Certificates for tests, made once with openssl (P-256, valid for a hundred years) and worth nothing: their keys are
 * here for everybody to read. The authority has signed all of them; its own key is thrown away.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** The authority. */
export const authority = `-----BEGIN CERTIFICATE-----
MIIBozCCAUmgAwIBAgIUXFeK4RmANWMqxtoO9eFRmo9/qQ0wCgYIKoZIzj0EAwIw
JjEkMCIGA1UEAwwbd3JpdGUtYmVoaW5kIHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEy
NTE5MzU1M1oYDzIxMjYxMTAxMTkzNTUzWjAmMSQwIgYDVQQDDBt3cml0ZS1iZWhp
bmQgdGVzdCBhdXRob3JpdHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASPQYqk
965/YYEwPaHmRsUo064ylLrYEcr3dd8SJTttKnj5nZdo1B9+23kg1HHH96nxcHQc
2NqbnlMLWmBpqOuho1MwUTAdBgNVHQ4EFgQU08sw6+mZKLam9Xoc1OnPJmvdRPUw
HwYDVR0jBBgwFoAU08sw6+mZKLam9Xoc1OnPJmvdRPUwDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNIADBFAiBIMkiDR70Ju6hpj0nV0OWyLImnE+3gLPNfhYio
ghu6VQIhAOqpuiy3Vd/MEDFckSzHZpmCnX51eCwFJr6C4JW73GEM
-----END CERTIFICATE-----
`;

/** For localhost and 127.0.0.1. */
export const serverPair = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBozCCAUqgAwIBAgIULuoa+pyCgx+B5KexbKvOo0pWTx4wCgYIKoZIzj0EAwIw
JjEkMCIGA1UEAwwbd3JpdGUtYmVoaW5kIHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEy
NTE5MzU1M1oYDzIxMjYxMTAxMTkzNTUzWjARMQ8wDQYDVQQDDAZzZXJ2ZXIwWTAT
BgcqhkjOPQIBBggqhkjOPQMBBwNCAATfZwJNZ52yoAs261Tu5md5jMAfyp36G1Ry
K34qWttcwMCWNq0zjHeeJ1KEQSmkKAjGTeXpfkHqva5psgtaqNX1o2kwZzAaBgNV
HREEEzARgglsb2NhbGhvc3SHBH8AAAEwCQYDVR0TBAIwADAdBgNVHQ4EFgQUFswu
xiF+trzr8ZD97XUzpNX/DQYwHwYDVR0jBBgwFoAU08sw6+mZKLam9Xoc1OnPJmvd
RPUwCgYIKoZIzj0EAwIDRwAwRAIgMFXKtXTtux0X6veq3NnY8PxDmIiJxNU6ltVs
TMMzW2kCIFkab3c4Kb1EDUHsDp4tDlET8euwqv2HHCW/zqvALRck
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOTI/sKvmP+YuexFw
JCjjkRdj5HnpxS0ZAd4hYQWRsxWhRANCAATfZwJNZ52yoAs261Tu5md5jMAfyp36
G1RyK34qWttcwMCWNq0zjHeeJ1KEQSmkKAjGTeXpfkHqva5psgtaqNX1
-----END PRIVATE KEY-----
`,
};

/** The same, made later. */
export const renewedPair = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBpTCCAUugAwIBAgIULuoa+pyCgx+B5KexbKvOo0pWTx8wCgYIKoZIzj0EAwIw
JjEkMCIGA1UEAwwbd3JpdGUtYmVoaW5kIHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEy
NTE5MzU1M1oYDzIxMjYxMTAxMTkzNTUzWjASMRAwDgYDVQQDDAdyZW5ld2VkMFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjZFMugnZdrYqK98MKs0iBDma8jqfHNef
UFia/lJ34EuSmHPlC4oKbEKIizjeZjj5ZXZDy+pEfdj7F4nNBnArLKNpMGcwGgYD
VR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMAkGA1UdEwQCMAAwHQYDVR0OBBYEFPsp
zqhn7re61nSAzoGVUXTCftgFMB8GA1UdIwQYMBaAFNPLMOvpmSi2pvV6HNTpzyZr
3UT1MAoGCCqGSM49BAMCA0gAMEUCIQC01JMPX91cT6+Dr+ZD+bG9VK+5stJ2re6+
BFK/CxgjagIgK5gVc0lNbLa9hi1nG+j9lkPYAswOwfPJQpVMb5XVhgs=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgup6xEqB5Xu12UdiL
0F3QYhp5XoLxc0umdf8F/DW5+QyhRANCAASNkUy6Cdl2tior3wwqzSIEOZryOp8c
159QWJr+UnfgS5KYc+ULigpsQoiLON5mOPlldkPL6kR92PsXic0GcCss
-----END PRIVATE KEY-----
`,
};

/** For a client. */
export const clientPair = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBMzCB2gIULuoa+pyCgx+B5KexbKvOo0pWTyAwCgYIKoZIzj0EAwIwJjEkMCIG
A1UEAwwbd3JpdGUtYmVoaW5kIHRlc3QgYXV0aG9yaXR5MCAXDTI2MTEyNTE5MzU1
M1oYDzIxMjYxMTAxMTkzNTUzWjARMQ8wDQYDVQQDDAZjbGllbnQwWTATBgcqhkjO
PQIBBggqhkjOPQMBBwNCAAT8mJ+uuFPL9cnQtzbxTBIXB3XmXeQsvFo/Swd0DeQj
1BoGimUKJYtJ9uaeS6Xu+hde+cwoFsNo+1v3jVnXi5FJMAoGCCqGSM49BAMCA0gA
MEUCIQCAhN/tluAEC0r9992uz1CAk1nrUkQ2cKgmMGc+oBfaWQIgdN89FPsr8mJ7
g51jRxeksywkjsMNGHyQoXqJax76g3s=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGZYl7yXbMY0X22ES
ystHZBt7l89580mAV6OxUV6//k6hRANCAAT8mJ+uuFPL9cnQtzbxTBIXB3XmXeQs
vFo/Swd0DeQj1BoGimUKJYtJ9uaeS6Xu+hde+cwoFsNo+1v3jVnXi5FJ
-----END PRIVATE KEY-----
`,
};

/** A certificate and its key. */
export type Pair = typeof serverPair;

/** Files of a test, gone after it. */
export interface TlsFiles {
  readonly folder: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

/** Writes them down. */
export function tlsFiles(): TlsFiles {
  const folder = mkdtempSync(join(tmpdir(), "write-behind-tls-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  return {
    folder,
    ca: write("ca.pem", authority),
    cert: write("cert.pem", serverPair.cert),
    key: write("key.pem", serverPair.key),
    clientCert: write("client-cert.pem", clientPair.cert),
    clientKey: write("client-key.pem", clientPair.key),
  };
}
