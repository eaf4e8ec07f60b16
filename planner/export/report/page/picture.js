// A picture of the run: whole where it can be read so, else at its own size; a button changes that.

const LEAST_SCALE = 0.6;

class PictureView {
  constructor(section) {
    this.box = section.querySelector(".picture");
    this.button = section.querySelector(".size");
    this.isOfTree = section.id === "graph";
    this.isChosen = false;
    this.button.addEventListener("click", () => {
      this.isChosen = true;
      this.fit(!this.box.classList.contains("fitted"));
    });
  }

  /** Show the image that stands in the box as it can be read best, unless somebody has chosen how. */
  async settle() {
    this.image = this.box.querySelector("img");
    if (!this.image) return;
    await this.image.decode();
    const { naturalWidth, naturalHeight } = this.image;
    const room = Math.min(this.box.clientWidth / naturalWidth, this.box.clientHeight / naturalHeight);
    this.button.hidden = room >= 1;
    if (!this.isChosen) this.fit(room >= LEAST_SCALE);
  }

  fit(isFitted) {
    const { box } = this;
    box.classList.toggle("fitted", isFitted);
    this.button.setAttribute("aria-pressed", isFitted);
    // the root stands half way down
    if (!isFitted && this.isOfTree) box.scrollTop = (this.image.naturalHeight - box.clientHeight) / 2;
  }
}
