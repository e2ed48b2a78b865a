"use strict";
(() => {
  const dialog = document.getElementById("zoom"), image = new Image();
  const stage = dialog.querySelector(".stage"), words = dialog.querySelector("p");
  const [back, on] = dialog.querySelectorAll("[data-step]");
  let gallery = [], place = 0;

  const show = (at) => {
    place = at;
    const shown = gallery[place];
    image.src = shown.currentSrc || shown.src;
    image.alt = words.textContent = shown.alt;
    stage.classList.remove("real");
    stage.replaceChildren(image);
    back.disabled = place === 0;
    on.disabled = place === gallery.length - 1;
  };
  const step = (by) => gallery[place + by] && show(place + by);

  for (const button of document.querySelectorAll(".zoom")) {
    button.addEventListener("click", () => {
      const own = button.querySelector("img");
      const around = button.closest("[data-gallery]") || button;
      gallery = [...around.querySelectorAll("img")];
      show(gallery.indexOf(own));
      dialog.showModal();  // the browser itself closes it on Escape and gives the focus back
    });
  }
  // Wide pictures get wide cards.
  for (const picture of document.querySelectorAll(".sample > .zoom img")) {
    const judge = () => picture.naturalWidth > 1.4 * picture.naturalHeight
      && picture.closest(".sample").classList.add("broad");
    picture.complete ? judge() : picture.addEventListener("load", judge);
  }
  dialog.addEventListener("click", (event) => {
    if (event.target === image) stage.classList.toggle("real");
    else if (event.target.dataset.step) step(Number(event.target.dataset.step));
    else if (event.target === stage || "close" in event.target.dataset) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) { event.preventDefault(); step(by); }
  });

  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = links.get(target.id);
      if (link) link.classList.toggle("here", isIntersecting);
    }
  }, { rootMargin: "-60px 0px -70% 0px" });
  document.querySelectorAll("section[id]").forEach((section) => watch.observe(section));
})();
