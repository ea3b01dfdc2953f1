// Asks how much work has ended, every two seconds while its tab is looked at, and tells the page of more.
// A tab in the background keeps silent and asks as soon as it is looked at: news are told where somebody reads.
//
// And tidies up behind Streamlit, which marks every run of a script for the browser's profiler and never lets go
// of the marks. They are small, but each holds a page of memory that was full of what a chart has thrown away
// since: 10 kB a refresh. A profiler that records has them already.

const EVERY = 2000;
const MARKS = ["notRunning", "running", "rerunRequested", "stopRequested", "compilationError"];
const MEASURE = "script-run-cycle";
const bell = (window.metalmBell ??= {}); // outlives a visit to another page

// A name for this browser: its tabs share one, so that one of them alone is told.
function reader() {
  const fresh = () => Math.random().toString(36).slice(2) + Date.now().toString(36);
  try {
    return (window.localStorage.metalmReader ??= fresh());
  } catch {
    return (bell.reader ??= fresh()); // a browser that keeps nothing
  }
}

function tidy() {
  MARKS.forEach((name) => performance.clearMarks(name));
  performance.clearMeasures(MEASURE);
}

async function look() {
  if (document.hidden || !bell.tell) return;
  let last;
  try {
    ({ last } = await (await fetch(bell.url, { cache: "no-store" })).json());
  } catch {
    return; // the app is away, and Streamlit says so
  }
  const after = Math.min(bell.known, last); // fewer than were known: the app was started anew
  bell.known = last;
  if (last > after) bell.tell({ reader: reader(), after });
}

export default function ({ data, setTriggerValue }) {
  const tell = (news) => setTriggerValue("rang", news);
  bell.known ??= data.last;
  bell.url = data.url;
  bell.tell = tell;
  bell.timer ??= setInterval(() => { tidy(); look(); }, EVERY);
  if (!bell.listens) document.addEventListener("visibilitychange", look);
  bell.listens = true;
  return () => {
    if (bell.tell === tell) bell.tell = undefined;
  };
}
