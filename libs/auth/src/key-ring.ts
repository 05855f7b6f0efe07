import { readFileSync } from 'node:fs';
import { seal, unseal } from './sealed-box.ts';

const KEY_BYTES = 32;
/** How long after its file was changed a ring may not know of it. */
const REREAD_AFTER_MS = 1_000;

/**
 * Versioned key-encryption keys: the newest seals, each opens what it sealed. Written as one key in base64 (which is
 * version 1), as `{"1": "…", "2": "…"}`, or as `file:` and the path of a file with either; a file is read again when
 * it may have changed, so keys rotate under a running service.
 */
export class KeyRing {
  private keys: ReadonlyMap<number, Buffer>;
  private readAtMs = Date.now();

  private constructor(private readonly source: string) {
    this.keys = read(source);
  }

  /** @throws Error when it isn't one; the message doesn't quote it */
  static from(source: string): KeyRing {
    return new KeyRing(source);
  }

  /** The newest version. */
  get version(): number {
    if (Date.now() - this.readAtMs > REREAD_AFTER_MS) this.reread();
    return Math.max(...this.keys.keys());
  }

  /** Version, then the sealed box. `context` (associated data) binds it to where it is kept. */
  seal(plaintext: Buffer, context: string): Buffer {
    const { version } = this;
    return Buffer.concat([Buffer.of(version), seal(this.keys.get(version)!, plaintext, `${version} ${context}`)]);
  }

  /** @throws Error when the key isn't in the ring or is another one, or the box or its place was changed */
  open(box: Buffer, context: string): Buffer {
    const version = box[0] ?? 0;
    if (!this.keys.has(version)) this.reread();
    const key = this.keys.get(version);
    if (!key) throw new Error(`there is no key-encryption key of version ${version}`);
    return unseal(key, box.subarray(1), `${version} ${context}`);
  }

  /** A box without its version, as signing keys have been kept since before there were versions. */
  sealBare(plaintext: Buffer, context: string): Buffer {
    return seal(this.keys.get(this.version)!, plaintext, context);
  }

  /** Opens such a box with whichever key does. @throws Error when none does */
  openBare(box: Buffer, context: string): Buffer {
    if (Date.now() - this.readAtMs > REREAD_AFTER_MS) this.reread();
    for (const key of this.keys.values()) {
      try {
        return unseal(key, box, context);
      } catch {
        // The next, then.
      }
    }
    throw new Error('no key-encryption key opens it');
  }

  private reread(): void {
    if (!this.source.startsWith('file:')) return;
    this.readAtMs = Date.now();
    try {
      this.keys = read(this.source);
    } catch {
      // What cannot be read just now is no reason to forget the keys that are known.
    }
  }
}

function read(source: string): Map<number, Buffer> {
  const text = (source.startsWith('file:') ? readFileSync(source.slice('file:'.length), 'utf8') : source).trim();
  const entries = text.startsWith('{') ? Object.entries(JSON.parse(text) as Record<string, unknown>) : [['1', text]];
  const keys = new Map(entries.map(([version, key]) => [Number(version), Buffer.from(String(key), 'base64')]));
  for (const [version, key] of keys) {
    // One byte of each box says which.
    if (!Number.isInteger(version) || version < 1 || version > 255) throw new Error('a version must be 1 to 255');
    if (key.length !== KEY_BYTES) throw new Error(`a key must be ${KEY_BYTES} bytes in base64`);
  }
  if (keys.size === 0) throw new Error('there must be a key');
  return keys;
}
