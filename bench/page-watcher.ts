/** What an open page asks of a server, as long as this process lives: its stream, and the queue every two seconds. */
const [url] = process.argv.slice(2);

async function stream(): Promise<void> {
  const response = await fetch(`${url}/api/events?only=status,deadLetter,deadLetterEnded`);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  process.stdout.write("watching\n");
  while (!(await reader.read()).done);
}

async function queue(): Promise<void> {
  await (await fetch(`${url}/api/queue?limit=100&cut=1000`)).arrayBuffer();
  setTimeout(() => void queue(), 2000);
}

void queue();
void stream();
