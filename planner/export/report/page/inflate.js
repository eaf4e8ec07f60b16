// Reading what was packed with deflate, at once; browsers' own way can only be waited for. Source: RFC 1951.

/** Return [base, extra bits] of each length or distance: `plain` steps of one, then two steps for each power of two. */
function steps(base, plain, each, count) {
  const made = [];
  for (let i = 0, at = base; i < count; i++) {
    const extra = i < plain ? 0 : Math.floor((i - plain) / each) + 1;
    made.push([at, extra]);
    at += 2 ** extra;
  }
  return made;
}

const LENGTHS = steps(3, 8, 4, 28).concat([[258, 0]]);
const DISTANCES = steps(1, 4, 2, 30);
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/**
 * Return the code in which symbol i has `lengths[i]` bits: a table that has, for each of the next `longest` bits that
 * may come, the symbol times 16 and how many of them are its own.
 */
function codeOf(lengths) {
  const longest = Math.max(1, ...lengths);
  const table = new Uint16Array(1 << longest);
  for (let length = 1, code = 0; length <= longest; length++, code *= 2) {
    lengths.forEach((own, symbol) => {
      if (own !== length) return;
      for (let at = reversed(code, length); at < table.length; at += 1 << length) table[at] = symbol * 16 + length;
      code++;
    });
  }
  return { longest, table };
}

/** Return the last `count` bits of a number, the last one first. */
function reversed(number, count) {
  let value = 0;
  for (let i = 0; i < count; i++) value = value * 2 + ((number >> i) & 1);
  return value;
}

const FIXED = [
  codeOf(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8))),
  codeOf(new Array(30).fill(5)),
];

class Inflater {
  /** `size` is how many bytes come of `packed`, which may repeat some of those that are `known` before. */
  constructor(packed, size, known) {
    this.packed = packed;
    this.at = 0; // the next byte
    this.held = 0; // bits of those before that are not used yet
    this.count = 0; // how many these are
    this.made = new Uint8Array(known.length + size);
    this.made.set(known);
    this.length = this.start = known.length;
  }

  all() {
    let isLast = 0;
    while (!isLast) {
      isLast = this.bits(1);
      const kind = this.bits(2);
      if (kind === 0) this.stored();
      else this.coded(...(kind === 1 ? FIXED : this.codes()));
    }
    return this.made.subarray(this.start);
  }

  /** Return the next `count` bits, at most 16, and leave them where they are. */
  seen(count) {
    for (; this.count < count; this.count += 8) this.held |= (this.packed[this.at++] ?? 0) << this.count;
    return this.held & ((1 << count) - 1);
  }

  drop(count) {
    this.held >>>= count;
    this.count -= count;
  }

  bits(count) {
    const value = this.seen(count);
    this.drop(count);
    return value;
  }

  symbol({ longest, table }) {
    const found = table[this.seen(longest)];
    if (!found) throw new Error("the report's data is damaged");
    this.drop(found & 15);
    return found >> 4;
  }

  stored() {
    this.drop(this.count & 7);
    const count = this.bits(16);
    this.bits(16);
    this.at -= this.count >> 3;
    this.held = this.count = 0;
    this.made.set(this.packed.subarray(this.at, this.at + count), this.length);
    this.at += count;
    this.length += count;
  }

  codes() {
    const [literals, distances, own] = [this.bits(5) + 257, this.bits(5) + 1, this.bits(4) + 4];
    const ownLengths = new Array(19).fill(0);
    for (let i = 0; i < own; i++) ownLengths[ORDER[i]] = this.bits(3);
    const code = codeOf(ownLengths);
    const lengths = [];
    while (lengths.length < literals + distances) {
      const symbol = this.symbol(code);
      if (symbol < 16) lengths.push(symbol);
      else if (symbol === 16) this.repeat(lengths, lengths.at(-1), 3 + this.bits(2));
      else this.repeat(lengths, 0, symbol === 17 ? 3 + this.bits(3) : 11 + this.bits(7));
    }
    return [codeOf(lengths.slice(0, literals)), codeOf(lengths.slice(literals))];
  }

  repeat(lengths, length, count) {
    for (let i = 0; i < count; i++) lengths.push(length);
  }

  coded(literals, distances) {
    for (let symbol = this.symbol(literals); symbol !== 256; symbol = this.symbol(literals)) {
      if (symbol < 256) {
        this.made[this.length++] = symbol;
        continue;
      }
      const [base, extra] = LENGTHS[symbol - 257];
      const count = base + this.bits(extra);
      const [away, more] = DISTANCES[this.symbol(distances)];
      const from = this.length - away - this.bits(more);
      for (let i = 0; i < count; i++) this.made[this.length++] = this.made[from + i];
    }
  }
}

/** Return the bytes that were deflated to `packed`, which is base64; they may repeat some that are `known`. */
function unpacked(packed, size, known) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  return new Inflater(bytes, size, known).all();
}
