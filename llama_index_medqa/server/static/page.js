"use strict";
// Asks the server, shows the answer as it comes, and each of its sentences beside the record that supports it.
// What comes from records, models and people is put in as text, never as HTML.
(() => {
  const PUBMED = "https://pubmed.ncbi.nlm.nih.gov/";
  const HEADINGS = { answer: "Answer", findings: "Findings", nothing_found: "Nothing found" };
  const FINDINGS_LEAD = "No answer could be verified. These are quotes, not an answer; they come nearest to it.";
  const STATUSES = {
    retracted: ["Retracted", "grave"], concern: ["Expression of concern", "care"],
    corrected: ["Corrected", "care"], retraction_notice: ["Retraction notice", "care"],
  };
  const LANGUAGES = { Chinese: "zh", French: "fr", German: "de", Japanese: "ja", Portuguese: "pt", Spanish: "es" };
  const FORMATS = { bibtex: ["BibTeX", "bib"], ris: ["RIS", "ris"], html: ["HTML", "html"], json: ["JSON", "json"] };
  const MOST_MESSAGES = 20, MOST_NEAREST = 5;
  const byId = (id) => document.getElementById(id);
  const narrow = window.matchMedia("(max-width: 59.99rem)");
  const records = new Map();
  let history = [], turns = 0, running = null, shown = null, isClosing = false;

  // ---- Elements
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (typeof value === "function") element.addEventListener(name, value);
      else if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  }

  const button = (text, click, label) => make("button", { type: "button", click, "aria-label": label }, text);
  const outside = (href, text) => make("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);
  const note = (...children) => make("p", { class: "note" }, ...children);
  const badge = ([text, kind]) => make("span", { class: `badge ${kind}` }, text);
  const counted = (number, name) => `${number} ${name}${number === 1 ? "" : "s"}`;
  const issue = ({ journal, year }) => [journal, year].filter(Boolean).join(", ");
  const tell = (text) => { byId("status").textContent = text; };

  function addressOf(id, links) {
    if (/^PMID:\d+$/.test(id)) return `${PUBMED}${id.slice(5)}/`;
    const link = links[id];
    return typeof link === "string" && link.startsWith("https://") ? link : null;
  }

  // ---- The server
  async function refusal(reply) {
    const said = await reply.json().catch(() => null);
    return new Error(said?.error?.message || `The server refused (${reply.status}).`);
  }

  async function post(address, data, headers, signal) {
    const all = { "Content-Type": "application/json", ...headers };
    const reply = await fetch(address, { method: "POST", headers: all, body: JSON.stringify(data), signal });
    if (!reply.ok) throw await refusal(reply);
    return reply;
  }

  async function* events(asked, signal) {
    const reply = await post("api/ask", { ...asked, stream: true }, { Accept: "text/event-stream" }, signal);
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const lines = block.split("\n");
        const field = (name) => (lines.find((line) => line.startsWith(`${name}: `)) || "").slice(name.length + 2);
        if (field("data")) yield [field("event"), JSON.parse(field("data"))];
      }
    }
  }

  async function read(id) {
    const reply = await fetch(`api/records/${encodeURIComponent(id)}`);
    if (!reply.ok) throw await refusal(reply);
    return reply.json();
  }

  function record(id) {
    if (!records.has(id)) records.set(id, read(id));
    records.get(id).catch(() => records.delete(id));
    return records.get(id);
  }

  // ---- A question
  function filters() {
    const ids = ["first-year", "last-year", "type", "journal"];
    const [first, last, type, journal] = ids.map((id) => byId(id).value.trim());
    const years = { ...(first && { first_year: Number(first) }), ...(last && { last_year: Number(last) }) };
    return { ...years, ...(type && { publication_types: [type] }), ...(journal && { journals: [journal] }) };
  }

  function described({ first_year: first, last_year: last, publication_types: types, journals }) {
    const years = first && last ? `${first} to ${last}` : first ? `from ${first}` : last ? `to ${last}` : "";
    return [years, ...(types || []), ...(journals || [])].filter(Boolean).join(" · ");
  }

  async function ask(question) {
    const turn = begin({ question, ...filters(), history });
    const clock = setInterval(wait, 1000, turn);
    running = new AbortController();
    records.clear();
    refresh();
    wait(turn);
    tell("Searching.");
    try {
      for await (const [name, data] of events(turn.asked, running.signal)) {
        turn.ahead = name === "waiting" ? data : null;
        if (name === "text") turn.stream.append(data.text);
        if (name === "finished") turn.data = data;
        if (name === "error") throw new Error(data.message);
        wait(turn);
      }
      if (!turn.data) throw new Error("The server stopped before the answer was whole. Ask again.");
      finish(turn);
    } catch (error) {
      fail(turn, error);
    } finally {
      clearInterval(clock);
      turn.waiting.remove();
      turn.article.removeAttribute("aria-busy");
      running = null;
      refresh();
    }
  }

  function begin(asked) {
    const place = ++turns;
    const turn = { asked, place, spans: [], numbers: new Map(), ahead: null, since: performance.now() };
    const chosen = described(asked);
    turn.waiting = make("p", { class: "waiting" });
    turn.stream = make("p", { class: "prose stream", "aria-live": "polite" });
    turn.said = make("div", { class: "said" }, turn.waiting, turn.stream);
    const named = { id: `record-${place}`, "aria-label": `Record beside answer ${place}` };
    turn.pane = make("aside", { class: "record", ...named, tabindex: 0, hidden: "" });
    turn.more = make("div", { class: "more", hidden: "" });
    turn.article = make("article", { class: "turn", "aria-labelledby": `question-${place}`, "aria-busy": "true" },
      make("h2", { id: `question-${place}` }, asked.question),
      chosen ? make("p", { class: "within" }, `Papers: ${chosen}`) : null,
      make("div", { class: "columns" }, turn.said, turn.pane, turn.more));
    byId("turns").append(turn.article);
    turn.article.scrollIntoView({ block: "start" });
    return turn;
  }

  function wait(turn) {
    const { ahead, stream, since } = turn;
    let doing = stream.textContent ? "Drafting and verifying" : "Searching, drafting and verifying";
    if (ahead) {
      const about = ahead.seconds_estimate ? `, about ${Math.ceil(ahead.seconds_estimate)} s` : "";
      doing = `Waiting: ${counted(ahead.position, "question")} before this one${about}`;
      if (turn.position !== ahead.position) tell(doing);
      turn.position = ahead.position;
    }
    turn.waiting.textContent = `${doing} · ${Math.round((performance.now() - since) / 1000)} s`;
  }

  function fail(turn, error) {
    const begun = Boolean(turn.stream.textContent);
    const stopped = `Stopped.${begun ? " What stands above is not the whole answer." : ""}`;
    const lost = error instanceof TypeError ? "The server does not answer. Is it still running?" : error.message;
    if (error.name === "AbortError") turn.said.append(make("p", { class: "note", role: "status" }, stopped));
    else turn.said.append(make("p", { class: "boxed grave", role: "alert" }, lost));
    if (!begun) turn.stream.remove();
    if (!byId("question").value) byId("question").value = turn.asked.question;
  }

  // ---- What came of it
  function finish(turn) {
    const { data } = turn;
    enumerate(turn);
    turn.stream.remove();
    const body = { answer: sentences, findings: quotes, nothing_found: nothing }[data.outcome];
    turn.said.append(...[
      data.caution ? make("p", { class: "boxed grave caution" }, data.caution) : null,
      make("h3", { class: "kind" }, HEADINGS[data.outcome]),
      short(data), body(turn), translated(data), disagreements(turn), remarks(data),
    ].flat().filter(Boolean));
    turn.more.append(...[sources(turn), nearest(turn), why(turn), saves(turn), ends(data)].filter(Boolean));
    turn.more.hidden = false;
    const first = turn.said.querySelector("a[data-span]");
    if (first && data.outcome !== "nothing_found") reveal(turn, Number(first.dataset.span), first);
    const said = [{ role: "user", content: turn.asked.question }, { role: "assistant", content: data.answer }];
    history = [...history, ...said].slice(-MOST_MESSAGES);
    const count = counted(data.sentences.length || data.findings.length, data.sentences.length ? "sentence" : "quote");
    tell(`${HEADINGS[data.outcome]}: ${data.explanation || `${count} from ${counted(turn.numbers.size, "paper")}.`}`);
  }

  // Numbers the papers as they are cited, and notes every span that can be shown.
  function enumerate({ data, numbers, spans }) {
    const add = (citations, kind) => citations.forEach((citation) => {
      if (kind !== "near" && !numbers.has(citation.document_id)) numbers.set(citation.document_id, numbers.size + 1);
      if (indexOf(spans, citation) < 0) spans.push({ ...citation, kind });
    });
    add([...data.sentences.flatMap((item) => item.citations), ...data.findings], "");
    add([...data.sentences, ...data.disagreements].flatMap((item) => item.opposing), "opposing");
    add(data.dropped.flatMap((item) => [...item.opposing, ...(item.nearest ? [item.nearest] : [])]), "near");
  }

  function indexOf(spans, { document_id: id, start, end }) {
    return spans.findIndex((span) => span.document_id === id && span.start === start && span.end === end);
  }

  // A link that shows a span of a record beside the answer.
  function link(turn, citation, kind, text, label, marks) {
    const index = indexOf(turn.spans, citation);
    const look = (event) => { if (!isClosing) reveal(turn, index, event.currentTarget); };
    const click = (event) => {
      event.preventDefault();
      look(event);
      if (narrow.matches) turn.pane.scrollIntoView({ block: "nearest" });
    };
    const own = { class: kind, "data-span": index, "data-marks": marks, "aria-label": label };
    return make("a", { href: `#record-${turn.place}`, ...own, click, focus: look }, text);
  }

  function cites(turn, citations, marks) {
    return citations.flatMap((citation) => {
      const number = String(turn.numbers.get(citation.document_id));
      const status = STATUSES[turn.data.retracted[citation.document_id]];
      const mark = link(turn, citation, "cite", number, `Source ${number}: ${citation.title}`, marks);
      return [mark, status ? badge(status) : null];
    });
  }

  function sentences(turn) {
    return make("p", { class: "prose" }, ...turn.data.sentences.flatMap((item) => {
      const [first] = [...item.citations, ...item.opposing];
      const verdict = item.verdict === "supported" ? null : make("span", { class: "verdict" }, ` [${item.verdict}]`);
      const text = first ? link(turn, first, "sentence", item.text) : item.text;
      return [text, ...cites(turn, item.citations), verdict, " "];
    }));
  }

  function quotes(turn) {
    return [make("p", { class: "boxed" }, FINDINGS_LEAD), ...turn.data.findings.map((finding) => {
      const quote = link(turn, finding, "sentence", `“${finding.quote.split(/\s+/).join(" ")}”`);
      return make("blockquote", { class: "prose" }, quote, ...cites(turn, [finding]));
    })];
  }

  function nothing(turn) {
    const { answer, explanation, searched, excluded } = turn.data;
    const left = excluded.map((paper) =>
      make("li", {}, whole(turn, paper.document_id, paper.title), " ", badge([paper.why, "care"])));
    return [
      make("p", { class: "prose" }, answer), explanation ? note(explanation) : null,
      searched.length ? note(make("strong", {}, "Searched for: "), searched.join("; ")) : null,
      left.length ? note(make("strong", {}, "Left out by a filter, though they speak of it:")) : null,
      left.length ? make("ul", { class: "plain excluded" }, ...left) : null,
    ];
  }

  // A link to a record of which no words are marked.
  function whole(turn, id, title) {
    const span = { document_id: id, title, start: 0, end: 0, quote: "", kind: "" };
    if (indexOf(turn.spans, span) < 0) turn.spans.push(span);
    return link(turn, span, "", title || id);
  }

  function short({ short_answer: text }) {
    return text ? make("p", { class: "short" }, text) : null;
  }

  function translated({ translation }) {
    if (!translation) return null;
    const { question, lead, note: kind, sentences: rows } = translation;
    const lines = rows.map((row) => `${row.translation || `[${row.problem}] ${row.english}`} ${row.marks}`);
    return make("section", { class: "translation" },
      make("h3", { class: "kind" }, `${question.language}: ${kind}`),
      make("div", { lang: LANGUAGES[question.language] }, ...[lead, ...lines].filter(Boolean).map((line) =>
        make("p", { class: "prose" }, line))),
      question.english ? note(`Searched and answered in English: “${question.english}”`) : null);
  }

  function disagreements(turn) {
    return turn.data.disagreements.map((item) => make("p", { class: "boxed disagreement" },
      make("strong", {}, "Papers disagree"), ` on: ${item.sentence} Support:`, ...cites(turn, item.supporting),
      " Against:", ...cites(turn, item.opposing, "opposing")));
  }

  function remarks(data) {
    const grave = Object.entries(data.retracted).map(([id, status]) =>
      make("p", { class: "boxed grave" }, `Careful: ${id} is ${status === "retracted" ? status : "of concern"}.`));
    const lines = data.unanswered.map((part) => `Not answered, because no retrieved record speaks of it: ${part}`);
    if (data.cut_off) lines.push("The model wrote as much as it may: what it had not finished is left out.");
    if (data.withheld.length) lines.push(`Not used: they give orders to the model: ${data.withheld.join(", ")}.`);
    return [...grave, ...lines.map((line) => note(line))];
  }

  function sources(turn) {
    const rows = [...turn.numbers.keys()].map((id) => {
      const { title } = turn.spans.find((span) => span.document_id === id);
      const address = addressOf(id, turn.data.links);
      const about = make("span", { class: "about" });
      record(id).then((found) => about.append(...aboutOf(found)), () => about.append(id));
      return make("li", {}, address ? outside(address, title || id) : title || id, " ", about);
    });
    if (!rows.length) return null;
    return make("section", { "aria-label": `Sources ${turn.place}` }, make("h3", {}, "Sources"),
      make("ol", { class: "papers" }, ...rows));
  }

  function nearest(turn) {
    if (turn.data.outcome !== "nothing_found" || !turn.data.sources.length) return null;
    const rows = turn.data.sources.slice(0, MOST_NEAREST).map((item) =>
      make("li", {}, whole(turn, item.document_id, item.title), make("span", { class: "hint" }, ` ${issue(item)}`)));
    return make("section", { "aria-label": `Nearest papers ${turn.place}` },
      make("h3", {}, "Nearest papers, which do not answer it"), make("ul", { class: "plain" }, ...rows));
  }

  function why(turn) {
    const { draft, explanation, answered_by: by, sentences: kept, dropped, taken_off: off, seconds } = turn.data;
    const rows = dropped.map((item) => {
      const against = [...new Set(item.opposing.map((citation) => citation.document_id))].join(", ");
      const reasons = [against && `contradicted by ${against}`, ...item.findings.map((finding) => finding.detail)];
      const reason = reasons.filter(Boolean).join("; ") || item.verdict;
      const near = item.opposing[0] || item.nearest;
      return make("li", {}, make("q", {}, item.text), ` Left out: ${reason}. `,
        near ? link(turn, near, "", `The nearest text: ${near.document_id}`) : null);
    });
    const times = Object.entries(seconds).map(([stage, value]) => `${stage} ${value.toFixed(1)} s`).join(", ");
    const count = `${counted(kept.length + dropped.length, "sentence")}, ${kept.length} shown.`;
    return make("details", { class: "why" },
      make("summary", {}, rows.length ? `Why: ${counted(rows.length, "sentence")} left out` : "Why"),
      note(draft ? `Drafted by ${by}: ${count}` : `Nothing was drafted. ${explanation}`),
      off.length ? note(`Not part of an answer, and not judged: ${off.join(", ")}.`) : null,
      rows.length ? make("ul", {}, ...rows) : null, times ? note(`Time: ${times}.`) : null);
  }

  function ends({ notice, source, as_of: day, outcome, answered_by: by }) {
    const model = { answer: `Drafted by ${by}.`, findings: `Quoted; ${by} drafted no answer that could be verified.` };
    const drafted = by === "extractive" ? "Quoted without a model." : model[outcome] || `${by} gave no answer.`;
    return make("div", { class: "ends" }, notice ? make("p", { class: "notice" }, notice) : null,
      make("p", {}, `${source}, as of ${day || "an unknown day"}. ${drafted}`));
  }

  // ---- The record beside the answer
  function aboutOf({ metadata: known }) {
    const types = (known.publication_types || []).filter((name) => !/^(Journal Article$|Research Support)/.test(name));
    return [issue(known), " ", STATUSES[known.status] ? badge(STATUSES[known.status]) : "",
      ...types.slice(0, 3).map((name) => badge([name, ""]))];
  }

  async function reveal(turn, index, element) {
    if (shown?.element === element && !turn.pane.hidden) return;
    shown?.element.removeAttribute("aria-current");
    element.setAttribute("aria-current", "true");
    const now = shown = { turn, element };
    const span = { ...turn.spans[index], ...(element.dataset.marks && { kind: element.dataset.marks }) };
    let body;
    try {
      body = abstract(turn, span, await record(span.document_id));
    } catch (error) {
      const problem = make("p", { class: "boxed" }, `The record cannot be read: ${error.message}`);
      body = [make("h3", {}, span.title), problem, make("blockquote", { class: "prose" }, span.quote)];
    }
    if (shown !== now) return;
    turn.pane.replaceChildren(...body, foot(turn, span));
    turn.pane.hidden = false;
    const mark = turn.pane.querySelector("mark.now");
    turn.pane.scrollTop = (mark?.offsetTop || 0) - turn.pane.clientHeight / 2;
  }

  function abstract(turn, span, found) {
    // A span counts characters, and a JavaScript string UTF-16 units.
    const characters = Array.from(found.text);
    const holds = !span.quote || characters.slice(span.start, span.end).join("") === span.quote;
    const spans = holds ? turn.spans.filter((item) => item.document_id === span.document_id) : [];
    const title = Array.from(found.title).length;
    const number = turn.numbers.get(span.document_id);
    const lines = make("div", { class: "text" });
    let start = title && found.text.startsWith(found.title) ? title + 1 : 0;
    for (const line of characters.slice(start).join("").split("\n")) {
      const end = start + Array.from(line).length;
      lines.append(make("p", {}, ...marked(characters, start, end, spans, span)));
      start = end + 1;
    }
    const warning = !holds ? `The index has changed since. The quote was: “${span.quote}”`
      : found.gives_orders ? "This text seems to give orders to a model. It is not used for answers." : "";
    return [make("p", { class: "kind" }, number ? `Source ${number}` : "Record"),
      make("h3", {}, ...marked(Array.from(found.title), 0, title, spans, span)),
      make("p", { class: "about" }, ...aboutOf(found)),
      ...(warning ? [make("p", { class: "boxed" }, warning)] : []), lines];
  }

  // The characters from first to last, with those of the spans marked; where two overlap, the later one is cut.
  function marked(characters, first, last, spans, now) {
    const text = (start, end) => characters.slice(start, end).join("");
    const isNow = ({ start, end }) => start === now.start && end === now.end;
    const pieces = [];
    let position = first;
    for (const span of [...spans].sort((one, other) => one.start - other.start || other.end - one.end)) {
      const start = Math.max(span.start, position), end = Math.min(span.end, last);
      if (start >= end || (span.kind === "near" && !isNow(span))) continue;
      const kind = isNow(span) ? `${now.kind} now`.trim() : span.kind;
      pieces.push(text(position, start), make("mark", { class: kind || null }, text(start, end)));
      position = end;
    }
    return [...pieces, text(position, last)];
  }

  function foot(turn, { document_id: id }) {
    const address = addressOf(id, turn.data.links);
    const name = address && address.startsWith(PUBMED) ? `${id.replace(":", " ")} in PubMed` : "The paper";
    return make("div", { class: "row" }, address ? outside(address, name) : make("span", {}, id),
      button("Close", close, "Close the record"));
  }

  function close() {
    if (!shown || shown.turn.pane.hidden) return false;
    shown.element.removeAttribute("aria-current");
    isClosing = true;
    if (shown.turn.pane.contains(document.activeElement)) shown.element.focus({ preventScroll: !narrow.matches });
    isClosing = false;
    shown.turn.pane.hidden = true;
    shown = null;
    return true;
  }

  // ---- Files of an answer
  function saves(turn) {
    const buttons = Object.entries(FORMATS).slice(turn.numbers.size ? 0 : 2).map(([format, [name, ending]]) =>
      button(name, (event) => save(turn, format, ending, event.currentTarget), `Save as ${name}`));
    return make("section", { class: "saves", "aria-label": `Save answer ${turn.place}` },
      make("h3", {}, "Save"), make("div", { class: "row" }, ...buttons));
  }

  async function save(turn, format, ending, pressed) {
    pressed.disabled = true;
    try {
      const reply = await post(`export/${format}`, { ...turn.asked, answer: turn.data.answer });
      const href = URL.createObjectURL(await reply.blob());
      make("a", { href, download: `medqa-answer.${ending}` }).click();
      setTimeout(() => URL.revokeObjectURL(href), 10000);
      tell("Saved.");
    } catch (error) {
      turn.more.append(make("p", { class: "boxed grave", role: "alert" }, `Not saved: ${error.message}`));
    } finally {
      pressed.disabled = false;
    }
  }

  // ---- The form
  function refresh() {
    byId("stop").hidden = !running;
    byId("send").hidden = Boolean(running);
    byId("new").hidden = Boolean(running) || !turns;
    byId("examples").hidden = byId("notice").hidden = turns > 0;
    byId("lead").className = turns ? "unseen" : "lead";
    byId("question-label").textContent = turns ? "A further question" : "Your question";
    byId("question").placeholder = turns ? "And in older people?" : "";
    const chosen = described(filters());
    byId("chosen").textContent = chosen && `· ${chosen}`;
  }

  function send() {
    const box = byId("question");
    const question = box.value.trim();
    if (running || !question) return;
    if (!byId("first-year").validity.valid || !byId("last-year").validity.valid) byId("filters").open = true;
    if (!byId("ask").reportValidity()) return;
    box.value = "";
    ask(question);
  }

  function forget() {
    [history, turns, shown] = [[], 0, null];
    byId("turns").replaceChildren();
    refresh();
    byId("question").focus();
    tell("A new conversation.");
  }

  byId("ask").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  byId("ask").addEventListener("change", refresh);
  byId("stop").addEventListener("click", () => running?.abort());
  byId("new").addEventListener("click", forget);
  byId("question").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && running) running.abort();
    else if (event.key === "Escape" && !close()) byId("filters").open = false;
  });
  for (const example of document.querySelectorAll("#examples button")) {
    example.addEventListener("click", () => { if (!running) ask(example.textContent); });
  }
  refresh();
})();
