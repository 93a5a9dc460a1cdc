(() => {
  "use strict";
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const one = (selector) => document.querySelector(selector);
  const KEY = "doorward-sent";
  const LONGEST = 6e5;
  const kept = () => {
    try {
      const sent = JSON.parse(sessionStorage.getItem(KEY));
      return sent && Date.now() - sent.at < LONGEST ? sent : null;
    } catch { return null; }
  };
  const keep = (sent) => {
    try { sessionStorage.setItem(KEY, JSON.stringify(sent)); } catch { /* A comfort less. */ }
  };

  // A form is sent once.
  for (const form of all("form")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "1";
      setTimeout(() => { delete form.dataset.sent; }, 8000);
    });
  }
  addEventListener("pageshow", () => all("form").forEach((form) => { delete form.dataset.sent; }));

  // What needs a script is shown where there is one.
  for (const part of all("[data-script]")) part.hidden = false;

  // A whole code that is pasted, or read out of an SMS, is sent.
  const code = one("input[data-digits]");
  if (code) {
    const whole = (text) => text.replace(/\s/g, "").length === Number(code.dataset.digits);
    code.addEventListener("input", (event) => {
      if (event.inputType === "insertFromPaste" && whole(code.value)) code.form.requestSubmit();
    });
    if ("sms" in code.dataset && "OTPCredential" in window) {
      const stop = new AbortController();
      code.form.addEventListener("submit", () => stop.abort());
      navigator.credentials.get({ otp: { transport: ["sms"] }, signal: stop.signal })
        .then((otp) => { code.value = otp.code; code.form.requestSubmit(); })
        .catch(() => {});
    }
  }

  // The address that a code was asked for stays in this tab, so that another can be asked for.
  for (const form of all("form[data-asks]")) {
    form.addEventListener("submit", () => {
      const { address, by } = form.elements;
      keep({ address: address ? address.value : form.dataset.asks, by: by ? by.value : "", at: Date.now() });
    });
  }
  const again = one("form[data-wait]");
  const sent = kept();
  if (again && sent && sent.address) {
    const button = one("form[data-wait] button");
    const [ready, waiting] = [button.textContent, button.dataset.waiting];
    again.elements.address.value = sent.address;
    again.elements.by.value = sent.by;
    again.hidden = false;
    for (const part of all("[data-sent-to]")) {
      part.querySelector("bdi").textContent = sent.address;
      part.hidden = false;
    }
    for (const part of all("[data-instead]")) part.textContent = part.dataset.instead;
    const tick = () => {
      const left = Math.ceil(Number(again.dataset.wait) - (Date.now() - sent.at) / 1000);
      button.disabled = left > 0;
      if (left <= 0) { button.textContent = ready; return; }
      button.textContent = waiting.replace("{time}", `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`);
      setTimeout(tick, 1000);
    };
    tick();
  }

  // Recovery codes go to paper or to a password manager.
  for (const button of all("[data-copy]")) {
    if (!navigator.clipboard) { button.hidden = true; continue; }
    button.addEventListener("click", () => {
      const text = all(`${button.dataset.copy} li`).map((item) => item.textContent.trim()).join("\n");
      navigator.clipboard.writeText(text).then(() => { button.textContent = button.dataset.done; }).catch(() => {});
    });
  }
  for (const button of all("[data-print]")) button.addEventListener("click", () => print());

  // Times in the reader's own zone, for who looks closer.
  for (const time of all("time")) time.title = new Date(time.dateTime).toLocaleString(document.documentElement.lang);
})();
