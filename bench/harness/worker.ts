/** The worker's side: a process of its own that does what it is told over IPC. */
export type Commands = Record<string, (argument: never) => unknown>;

export interface Request {
  id: number;
  command: string;
  argument: unknown;
}
export type Reply = { id: number; result: unknown } | { id: number; error: string };

/** The first command is `start`: its argument makes the others. */
export function serve<Settings>(start: (settings: Settings) => Promise<Commands>): void {
  let commands: Commands = {
    start: async (settings: Settings) => void (commands = await start(settings)),
  };
  process.on('message', (request: Request) => void answer(commands, request));
  // Whoever started it is gone.
  process.on('disconnect', () => process.exit(0));
}

async function answer(commands: Commands, { id, command, argument }: Request): Promise<void> {
  let reply: Reply;
  try {
    const work = commands[command] as ((argument: unknown) => unknown) | undefined;
    if (!work) throw new Error(`no command ${command}`);
    reply = { id, result: await work(argument) };
  } catch (error) {
    reply = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.send?.(reply);
}
