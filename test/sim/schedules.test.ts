import { expect } from "vitest";
import { vectorTest } from "../vectors.ts";
import { TwinsRun, type TwinsSchedule } from "./twins.ts";

// Leaders, partitions, losses and crashes as scheduled; two copies of one key. Safety is checked
// after every event; every correct node must commit a new block within the rounds of the tail.
vectorTest<TwinsSchedule>("sim/twins.ndjson.gz", (schedules) => {
  let most = 0;
  for (const schedule of schedules) {
    const views = new TwinsRun(schedule).run();
    expect(views, `${schedule.id} commits nothing`).not.toBeNull();
    expect(views, schedule.id).toBeLessThanOrEqual(schedule.tail.length);
    most = Math.max(most, views ?? 0);
  }
  console.log(`twins: at most ${most} views of the tail until all committed`);
});
