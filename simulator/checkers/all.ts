/** Every checker, by the promise that it watches. */
import { AnsweredMeansKept } from "./answered-means-kept.js";
import { Bounded } from "./bounded.js";
import { CanBeSeen } from "./can-be-seen.js";
import type { Checker, CheckerParts } from "./checker.js";
import { KeptUntilItSucceeds } from "./kept-until-it-succeeds.js";
import { Linearizable } from "./linearizable.js";
import { NewestWins } from "./newest-wins.js";
import { OneBadChange } from "./one-bad-change.js";
import { Once } from "./once.js";
import { OrderPerRecord } from "./order-per-record.js";
import { PastMoment } from "./past-moment.js";
import { RemembersItsPause } from "./remembers-its-pause.js";
import { StoppingTellsTheTruth } from "./stopping-tells-the-truth.js";

/** The checkers of one world. */
export function allCheckers(parts: CheckerParts): readonly Checker[] {
  return [
    new AnsweredMeansKept(parts),
    new NewestWins(),
    new Linearizable(parts),
    // Before the one for past moments: what is written twice is a mixture, too.
    new Once(parts),
    new PastMoment(parts),
    new OrderPerRecord(parts),
    new KeptUntilItSucceeds(parts),
    new OneBadChange(parts),
    new Bounded(parts),
    new StoppingTellsTheTruth(parts),
    new CanBeSeen(parts),
    new RemembersItsPause(),
  ];
}
