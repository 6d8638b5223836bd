import { expect, test } from "vitest";
import { placesHere } from "./testnet.ts";

test.each([16_890, 16_888, 16_880, 16_900, 20_000])(
  "seven nodes on one machine, peers from port %i on, have 14 ports",
  (firstPort) => {
    const places = placesHere(7, firstPort);
    const ports = places.flatMap(({ listen, rpcPort }) => [Number(listen.split("/")[4]), rpcPort]);
    expect(new Set(ports).size).toBe(14);
    expect(places.map(({ dialled }) => dialled)).toEqual(places.map(({ listen }) => listen));
  },
);
