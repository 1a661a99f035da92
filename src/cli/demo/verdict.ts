/** What the demo reads of `/readiness`. */
interface Answer {
  readonly headline: string;
  readonly recommendation: string;
  readonly mirrors: readonly {
    readonly verdict: {
      readonly gates: readonly {
        readonly status: string;
        readonly sentence: string;
      }[];
    };
  }[];
  readonly statements: readonly {
    readonly text: string;
    readonly mismatches: number;
    readonly examples: readonly {
      readonly result: string;
      readonly mirror: { readonly sqlstate: string | null };
    }[];
  }[];
}

/** The verdict in words: what fails, and the statements that do. @param url of `/readiness`. */
export async function verdictText(url: URL): Promise<string> {
  const response = await fetch(url);
  const answer: Answer = await response.json();
  const failing = answer.mirrors.flatMap(({ verdict }) =>
    verdict.gates.filter(({ status }) => status === "fail")
  );
  const broken = answer.statements.filter(({ mismatches }) => mismatches > 0);
  return [
    `\nVerdict: ${answer.headline}. ${answer.recommendation}.`,
    ...failing.map(({ sentence }) => `  ${sentence}`),
    ...broken.map(({ text, mismatches, examples: [example] }) =>
      `  ${mismatches} times ${
        example?.result.replace("mismatch_", "").replaceAll("_", " ")
      } ${example?.mirror.sqlstate ?? ""}: ${text}`
    ),
  ].join("\n");
}
