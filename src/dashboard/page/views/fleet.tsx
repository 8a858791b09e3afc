/** Fleet: the workers, who writes which partition, and how far each is behind. */
import { count, counted, duration, size } from "../../../amounts.js";
import type { FleetStatus, Status } from "../../../heart.js";
import type { WorkerReport } from "../../../redis/worker/report.js";

/** The view. */
export function FleetView({ status }: { readonly status: Status }) {
  const { fleet } = status;
  if (fleet === undefined) {
    return (
      <section class="sheet empty">
        <p>This server is alone: cache and queue are its own.</p>
        <p>
          With <code>--cache redis://…</code> many processes share them, and this view shows who writes what.
        </p>
      </section>
    );
  }
  return (
    <>
      <p class="sheet">
        Cache and queue are in {fleet.place}: {fleet.keeps}.
      </p>
      <Workers fleet={fleet} />
      <Partitions fleet={fleet} />
    </>
  );
}

function Workers({ fleet }: { readonly fleet: FleetStatus }) {
  return (
    <section class="sheet scroll" tabIndex={0} aria-label="Workers">
      <table>
        <caption>{counted(fleet.workers.length, "worker")}</caption>
        <thead>
          <tr>
            <th scope="col">Worker</th>
            <th scope="col">Process</th>
            <th scope="col" class="right">
              Partitions
            </th>
            <th scope="col">Database</th>
            <th scope="col" class="right">
              Seen
            </th>
          </tr>
        </thead>
        <tbody>
          {fleet.workers.length === 0 && (
            <tr>
              <td colSpan={5} class="empty">
                No worker lives: nothing reaches the database. Start one: write-behind work --cache URL --store URL
              </td>
            </tr>
          )}
          {fleet.workers.map(({ id, seenAgoMs, report }) => {
            const said = report as WorkerReport | null;
            const owned = fleet.partitions.filter(({ owner }) => owner === id).map(({ partition }) => partition);
            return (
              <tr key={id}>
                <td class="mono">{id}</td>
                <td>{said === null ? "of another version" : `${said.pid} on ${said.host}, version ${said.version}`}</td>
                <td class="right">
                  {owned.length} <span class="soft">{owned.join(" ")}</span>
                </td>
                <td class="value">
                  {said === null
                    ? "–"
                    : said.store.error === null
                      ? said.store.state
                      : `${said.store.state}: ${said.store.error.message}`}
                </td>
                <td class="right">{duration(seenAgoMs)} ago</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function Partitions({ fleet }: { readonly fleet: FleetStatus }) {
  return (
    <section class="sheet scroll" tabIndex={0} aria-label="Partitions">
      <table>
        <caption>
          {counted(fleet.partitions.length, "partition")}: each is a queue of its own, written by one worker at a time
        </caption>
        <thead>
          <tr>
            <th scope="col" class="right">
              Partition
            </th>
            <th scope="col">Written by</th>
            <th scope="col" class="right">
              Pending
            </th>
            <th scope="col" class="right">
              Records
            </th>
            <th scope="col" class="right">
              Size
            </th>
            <th scope="col" class="right">
              Lag
            </th>
            <th scope="col" class="right">
              Dead letters
            </th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {fleet.partitions.map((each) => (
            <tr key={each.partition}>
              <td class="right">{each.partition}</td>
              <td class="mono">{each.owner ?? <span class="pill bad">nobody</span>}</td>
              <td class="right">{count(each.pendingChanges)}</td>
              <td class="right">{count(each.pendingRecords)}</td>
              <td class="right">{size(each.pendingBytes)}</td>
              <td class="right">{each.pendingChanges === 0 ? "–" : duration(each.oldestAgeMs)}</td>
              <td class="right">{count(each.deadLetters)}</td>
              <td class="value">{each.broken === null ? "written" : <span class="error">{each.broken}</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
