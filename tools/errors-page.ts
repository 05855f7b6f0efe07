import { ERRORS, KINDS } from '@cabstand/contracts';

const INTRODUCTION = `# Errors

Generated from \`libs/contracts/src/errors.ts\` by \`npx nx run tools:generate\`.

Every refusal is \`application/problem+json\` (RFC 9457):

\`\`\`json
{
  "type": "urn:cabstand:problem:quote-expired",
  "title": "The quote has expired",
  "status": 409,
  "detail": "the quote was valid until 2026-01-31T12:00:00.000Z",
  "code": "QUOTE_EXPIRED",
  "traceId": "4bf92f3577b34da6a3ce929d0e0e4736"
}
\`\`\`

Decide by \`code\`: codes are stable, and \`title\` says the same for every occurrence. \`detail\` is for people. \`REQUEST_INVALID\` adds
\`errors: [{ path, message }]\`; a 503 carries \`Retry-After\`. Quote \`traceId\` when you ask for help: logs and traces know it.
`;

/** The text of docs/errors.md. */
export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(([code, { kind, title }]) => `| \`${code}\` | ${KINDS[kind]} | ${title} |`);
  return `${INTRODUCTION}\n| code | status | title |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}
