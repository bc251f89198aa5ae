// One pair: keys, enlarged pictures, and sending until the server says that it has the answers.
const form = document.querySelector("form");
const questions = [...form.querySelectorAll("fieldset")];
const send = form.querySelector("button");
const status = form.querySelector("[role=status]");
const dialog = document.querySelector("dialog");
const started = performance.now();
const open = () => questions.find((one) => !one.disabled && !one.querySelector(":checked"));
let sending = false;

function show() {
  const now = open();
  for (const one of questions) one.classList.toggle("now", one === now);
  if (send) send.disabled = Boolean(now) || sending;
}

function answer(number) {
  const one = open();
  if (one) one.querySelectorAll("input")[number].checked = true;
  show();
}

function back() {
  const last = questions.findLast((one) => one.querySelector(":checked"));
  if (last) last.querySelector(":checked").checked = false;
  show();
}

const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

async function deliver(body) {
  for (let tries = 0; ; tries += 1) {
    try {
      const reply = await fetch(location.href, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      if (reply.status < 500) return reply;
    } catch {
      // no network, or the server is being started again
    }
    status.textContent = "The server cannot take your answers now. They are kept here; trying again …";
    await pause(Math.min(5, 0.5 * 2 ** tries));
  }
}

async function submit() {
  if (sending || open()) return;
  sending = true;
  show();
  const answers = Object.fromEntries(new FormData(form));
  for (const one of questions) one.disabled = true; // until they are refused, these are the answers
  const reply = await deliver(JSON.stringify({ answers, seconds: (performance.now() - started) / 1000 }));
  if (reply.ok) location.assign(form.dataset.next);
  else if (reply.status === 409) location.reload(); // answered before, in another window: those answers are shown
  else {
    const { error } = await reply.json().catch(() => ({})); // whatever stands before the server may refuse in HTML
    status.textContent = error ?? "The answers were refused; please reload the page.";
    for (const one of questions) one.disabled = false;
    sending = false;
    show();
  }
}

form.addEventListener("change", show);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});

document.addEventListener("keydown", (event) => {
  if (sending || event.repeat || dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!send && event.key === "Enter" && document.activeElement === document.body) location.assign(form.dataset.next);
  if (!send) return;
  if ("123".includes(event.key)) answer(Number(event.key) - 1);
  else if (event.key === "Backspace") back();
  else if (event.key === "Enter" && !open() && !document.activeElement.matches("a, .picture")) submit();
  else return;
  event.preventDefault();
});

addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // kept by the browser when it went on: it is still sending, and knows of no answers
});

for (const picture of document.querySelectorAll(".picture"))
  picture.addEventListener("click", () => {
    const image = picture.querySelector("img");
    dialog.querySelector("p").textContent = picture.parentElement.querySelector("p").textContent;
    Object.assign(dialog.querySelector("img"), { src: image.src, alt: image.alt });
    dialog.showModal();
  });
dialog.addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => document.activeElement.blur()); // or Enter would enlarge it again instead of sending
show();
