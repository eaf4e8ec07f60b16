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

/** Return the code in which symbol i has `lengths[i]` bits: for each length the first code and its symbols. */
function codeOf(lengths) {
  const byLength = [];
  lengths.forEach((length, symbol) => {
    if (length) (byLength[length] ??= []).push(symbol);
  });
  const code = [];
  for (let length = 1, first = 0; length < byLength.length; length++) {
    const symbols = byLength[length] ?? [];
    code.push([first, symbols]);
    first = (first + symbols.length) * 2;
  }
  return code;
}

const FIXED = [
  codeOf(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8))),
  codeOf(new Array(30).fill(5)),
];

class Inflater {
  /** `size` is how many bytes come of `packed`. */
  constructor(packed, size) {
    this.packed = packed;
    this.at = 0; // in bits
    this.made = new Uint8Array(size);
    this.length = 0;
  }

  all() {
    let isLast = 0;
    while (!isLast) {
      isLast = this.bits(1);
      const kind = this.bits(2);
      if (kind === 0) this.stored();
      else this.coded(...(kind === 1 ? FIXED : this.codes()));
    }
    return this.made;
  }

  bits(count) {
    let value = 0;
    for (let i = 0; i < count; i++, this.at++) value |= ((this.packed[this.at >> 3] >> (this.at & 7)) & 1) << i;
    return value;
  }

  symbol(code) {
    let value = 0;
    for (const [first, symbols] of code) {
      value |= (this.packed[this.at >> 3] >> (this.at & 7)) & 1;
      this.at++;
      if (value - first < symbols.length) return symbols[value - first];
      value <<= 1;
    }
    throw new Error("the report's data is damaged");
  }

  stored() {
    this.at = (this.at + 7) & ~7;
    const count = this.bits(16);
    this.at += 16;
    this.made.set(this.packed.subarray(this.at >> 3, (this.at >> 3) + count), this.length);
    this.at += 8 * count;
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

/** Return the text of which `packed` is the deflated UTF-8, in base64. */
function unpacked(packed, size) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  return new TextDecoder().decode(new Inflater(bytes, size).all());
}
