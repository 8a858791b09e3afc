/** The proxy of the fault tests is a way like TCP's: late, cut or silent, and never out of order. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, test } from "vitest";
import { TcpProxy } from "./tcp-proxy.js";

test("what is held back arrives in order, also where the delay becomes shorter", async () => {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy = await TcpProxy.start((server.address() as AddressInfo).port);
  const client = connect({ port: proxy.port, host: "127.0.0.1" }).setNoDelay(true);
  try {
    const pieces = ["a", "b", "c", "d"];
    const delays = [200, 20, 1, 0];
    let answer = "";
    client.on("data", (data: Buffer) => (answer += data.toString()));
    for (const [i, piece] of pieces.entries()) {
      proxy.delayMs = delays[i] as number;
      const heard = new Promise<void>((resolve) => {
        proxy.onData = (side) => {
          if (side === "client") resolve();
          return true;
        };
      });
      client.write(piece);
      await heard;
    }
    while (answer.length < pieces.length) await once(client, "data");
    expect(answer).toBe("abcd");
  } finally {
    client.destroy();
    await proxy.stop();
    server.close();
  }
});

test("what is cut while its end is on its way is closed", async () => {
  const server = createServer((socket) => socket.on("error", () => {}).write("hello")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy = await TcpProxy.start((server.address() as AddressInfo).port);
  const side = new Promise<Socket>((resolve) => {
    proxy.onData = (_, __, way) => {
      resolve(way.client);
      return true;
    };
  });
  const client = connect({ port: proxy.port, host: "127.0.0.1" }).on("error", () => {});
  await once(client, "data");
  const closed = once(await side, "close");
  proxy.halfClose();
  proxy.cut();
  await closed;
  client.destroy();
  await proxy.stop();
  server.close();
});
