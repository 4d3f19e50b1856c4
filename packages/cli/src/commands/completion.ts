// SPDX-License-Identifier: Apache-2.0
// Completion scripts, made from the grammar itself so that they cannot fall behind it.
import { Argument, type Command } from "commander";
import type { CommandHost } from "../program.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** A command as completion sees it. */
interface Completable {
  readonly name: string;
  readonly description: string;
  readonly options: readonly { readonly long: string; readonly description: string }[];
}

/** `meerkat completion SHELL`: prints a completion script. */
export function addCompletionCommand(program: Command, { io }: CommandHost): void {
  program
    .command("completion")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "bash, zsh or fish").choices(SHELLS))
    .action((shell: Shell) => {
      io.stdout.stream.write(SCRIPTS[shell](program.commands.map(completable)));
    });
}

function completable(command: Command): Completable {
  const options = command.createHelp().visibleOptions(command);
  return {
    name: command.name(),
    description: command.description(),
    options: options.flatMap(({ long, description }) => (long ? [{ long, description }] : [])),
  };
}

function words(command: Completable): string {
  return command.options.map((option) => option.long).join(" ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const SCRIPTS: Readonly<Record<Shell, (commands: readonly Completable[]) => string>> = {
  bash: (commands) => `# bash completion of meerkat; load it with: source <(meerkat completion bash)
_meerkat() {
  local word="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quoted(commands.map((command) => command.name).join(" "))} -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${commands.map((command) => `    ${command.name}) COMPREPLY=($(compgen -W ${quoted(words(command))} -- "$word")) ;;`).join("\n")}
  esac
}
complete -o default -F _meerkat meerkat
`,
  zsh: (commands) => `#compdef meerkat
# zsh completion of meerkat; load it with: source <(meerkat completion zsh)
_meerkat() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${commands.map((command) => `      ${quoted(`${command.name}:${command.description}`)}`).join("\n")}
    )
    _describe command commands
    return
  fi
  case "\${words[2]}" in
${commands.map((command) => `    ${command.name}) compadd -- ${words(command)} ;;`).join("\n")}
  esac
}
compdef _meerkat meerkat
`,
  fish: (commands) => `# fish completion of meerkat; load it with: meerkat completion fish | source
${commands
  .flatMap((command) => [
    `complete -c meerkat -n __fish_use_subcommand -f -a ${command.name} -d ${quoted(command.description)}`,
    ...command.options.map(
      (option) =>
        `complete -c meerkat -n ${quoted(`__fish_seen_subcommand_from ${command.name}`)} -l ${option.long.slice(2)} -d ${quoted(option.description)}`,
    ),
  ])
  .join("\n")}
`,
};
