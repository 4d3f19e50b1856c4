// SPDX-License-Identifier: Apache-2.0
// Rows, goals and their two forms: tables for people, one JSON object for scripts.
import { type Environment, environment } from "./environment.ts";
import type { SuiteOptions } from "./options.ts";
import { type Column, table } from "./table.ts";

/** One subject's figures in one case: medians over the rounds. Figures that were not taken are left out. */
export interface Row {
  readonly case: string;
  /** `meerkat`, `meerkat-<variant>` or a peer's name. */
  readonly subject: string;
  readonly opsPerSec?: number | undefined;
  readonly p50Us?: number | undefined;
  readonly p99Us?: number | undefined;
  readonly cpuUsPerOp?: number | undefined;
  /** Rounds behind the medians. */
  readonly rounds?: number | undefined;
  /** Half the distance between the fastest and the slowest round, as a share of the median. */
  readonly spread?: number | undefined;
  readonly [figure: string]: number | string | undefined;
}

/** A goal of the suite and what became of it. */
export interface Goal {
  readonly goal: string;
  /** Undefined when what it needs was not measured. */
  readonly reached: boolean | undefined;
  /** The deciding figure, in words. */
  readonly detail: string;
}

/** Figures are rounded to this many significant digits in the JSON. */
const DIGITS = 4;

function rounded(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, typeof value === "number" ? Number(value.toPrecision(DIGITS)) : value]),
  ) as Row;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "case", cell: (row) => row.case },
  { title: "subject", cell: (row) => row.subject },
  { title: "ops/s", cell: (row) => row.opsPerSec },
  { title: "p50 µs", cell: (row) => row.p50Us },
  { title: "p99 µs", cell: (row) => row.p99Us },
  { title: "CPU µs/op", cell: (row) => row.cpuUsPerOp },
  { title: "± %", cell: (row) => (row.spread === undefined ? undefined : row.spread * 100) },
];
const COMMON = new Set(["case", "subject", "opsPerSec", "p50Us", "p99Us", "cpuUsPerOp", "rounds", "spread"]);

/** Collects what a suite measures and prints it at the end. */
export class Report {
  readonly #bench: string;
  readonly #options: SuiteOptions;
  readonly #environment: Environment = environment();
  readonly #rows: Row[] = [];
  readonly #notes: string[] = [];

  constructor(bench: string, options: SuiteOptions) {
    this.#bench = bench;
    this.#options = options;
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }

  add(row: Row): void {
    this.#rows.push(row);
  }

  /** The row of a case and subject, if it was measured. */
  find(caseName: string, subject: string): Row | undefined {
    return this.#rows.find((row) => row.case === caseName && row.subject === subject);
  }

  /** Something a reader must know beside the figures, such as a peer that is missing. */
  note(text: string): void {
    this.#notes.push(text);
    process.stderr.write(`${text}\n`);
  }

  /** What goes on, on stderr. */
  progress(text: string): void {
    process.stderr.write(`  ${text}\n`);
  }

  /** Prints everything on stdout. Without a row there is nothing to print: the pattern fits no case. */
  print(goals: readonly Goal[]): void {
    const { json, quick, only } = this.#options;
    if (this.#rows.length === 0) {
      process.stderr.write(`no case matches ${only}\n`);
      process.exitCode = 2;
      return;
    }
    if (json) {
      const object = {
        bench: this.#bench,
        ...this.#environment,
        quick,
        notes: this.#notes,
        rows: this.#rows.map(rounded),
        goals,
      };
      process.stdout.write(`${JSON.stringify(object, null, 2)}\n`);
      return;
    }
    const { commit, node, cpu, cores, date, loadAverage } = this.#environment;
    const lines = [
      "",
      `${this.#bench} · commit ${commit} · Node ${node} · ${cpu} ×${cores} · ${date} · load ${loadAverage}${quick ? " · quick" : ""}`,
      ...this.#notes,
      "",
      ...this.#groups().map((rows) => `${table(columns(rows), rows)}\n`),
      ...goals.map(goalLine),
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  }

  /** Cases that follow each other and have the same figures share a table. */
  #groups(): Row[][] {
    const groups: Row[][] = [];
    let signature: string | undefined;
    for (const name of new Set(this.#rows.map((row) => row.case))) {
      const rows = this.#rows.filter((row) => row.case === name);
      const own = figures(rows).join();
      if (own === signature) groups.at(-1)?.push(...rows);
      else groups.push(rows);
      signature = own;
    }
    return groups;
  }
}

/** Names of the figures that are not common to all cases. */
function figures(rows: readonly Row[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => !COMMON.has(name)).sort();
}

/** The usual columns, then one for every other figure that a row has. */
function columns(rows: readonly Row[]): Column<Row>[] {
  return [...COLUMNS, ...figures(rows).map((name) => ({ title: name, cell: (row: Row) => row[name] }))];
}

function goalLine(goal: Goal): string {
  const verdict = goal.reached === undefined ? "not measured" : goal.reached ? "reached" : "NOT REACHED";
  return `${verdict.padEnd(12)}  ${goal.goal}: ${goal.detail}`;
}
