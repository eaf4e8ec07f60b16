// The stream of changes: opened while the page is seen, and taken up again where it was lost.

const NOT_LET_IN = "Open the address that `ramify serve` printed last; this page needs its token.";
const AGAIN_MS = 3000;
const LOST = "Connection lost; this page may be out of date. Reconnecting…";

/** Calls `onChange` with each difference. A hidden page lets go, as browsers keep few connections to one server. */
class Stream {
  constructor(address, onChange) {
    this.address = address;
    this.onChange = onChange;
    this.seen = "";
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    if (!document.hidden) this.open();
  }

  open() {
    if (this.source) return;
    const source = new EventSource(`${this.address}?seen=${encodeURIComponent(this.seen)}`);
    source.addEventListener("open", () => tellLost(""));
    source.addEventListener("message", (event) => {
      this.seen = event.lastEventId;
      const change = JSON.parse(event.data);
      tellLost(change.trouble);
      this.onChange(change);
    });
    source.addEventListener("error", () => this.failed(source));
    this.source = source;
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  async failed(source) {
    if (source.readyState !== EventSource.CLOSED) {
      tellLost(LOST);
      return;
    }
    this.source = null; // the server has said no, and says why to who asks otherwise
    const { error, isFinal } = await asked(this.address.replace(/events$/, "plans"));
    tellLost(error ?? LOST);
    if (!isFinal) setTimeout(() => this.open(), AGAIN_MS);
  }
}

function tellLost(words) {
  byId("lost").textContent = words ?? "";
  byId("lost").hidden = !words;
}

/** Return what the server answers, as JSON; `error` says why there is nothing else. */
async function asked(address, options) {
  try {
    const answer = await fetch(address, options);
    if (answer.status === 401) return { error: NOT_LET_IN, isFinal: true };
    return await answer.json();
  } catch {
    return { error: "The server cannot be reached; is `ramify serve` still running?" };
  }
}

const LOADED_AGAIN_MS = 2000;

/** A part of a page that is asked for again when it is seen and something has changed; `load` asks, then `loaded`. */
class LoadedWhenSeen {
  constructor(section) {
    this.isStale = this.isSeen = this.isLoading = this.hasLoaded = false;
    new IntersectionObserver(([entry]) => {
      this.isSeen = entry.isIntersecting;
      this.loadSoon();
    }).observe(section);
    DARK.addEventListener("change", () => this.changed());
  }

  changed() {
    this.isStale = true;
    this.loadSoon();
  }

  loadSoon() {
    if (!this.isSeen || !this.isStale || this.isLoading) return;
    this.isLoading = true;
    setTimeout(() => {
      this.isStale = false;
      this.load();
    }, this.hasLoaded ? LOADED_AGAIN_MS : 0);
  }

  loaded() {
    this.hasLoaded = true;
    this.isLoading = false;
    this.loadSoon();
  }
}
