import { useEffect, useRef, useState } from "react";
import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { failureOf } from "./failure.js";
import { Message } from "./Message.jsx";
import { load, onSaved, save } from "./store.js";

// The server needs the last message only.
const transport = new DefaultChatTransport({
  api: "/api/chat",
  prepareSendMessagesRequest: ({ id, messages, trigger, messageId }) => ({
    body: { id, messages: messages.slice(-1), trigger, messageId },
  }),
});

const markdown =
  "**Bold**, `code` and a list:\n\n1. one\n2. two\n\n```go\nfor tok := range stream.Tokens() {\n\tfmt.Print(tok.Token)\n}\n```\n\nThe end.";

// Questions for an empty chat, and their labels.
const beginnings = [
  ["What time is it?", "What time is it?"],
  ["Tell me something long", "Tell me something long"],
  ["Show Markdown", markdown],
];

const maxRetries = 6;

// isAsked reports whether the last message waits for an answer.
const isAsked = (messages) => messages.at(-1)?.role === "user";

export function Chat({ id }) {
  const [text, setText] = useState("");
  const [work, setWork] = useState(); // the last status of the backend
  const [failure, setFailure] = useState();
  const [initial] = useState(() => load(id));
  const coded = useRef(); // the code of the failure, which arrives before it
  const retries = useRef(0);

  const chat = useChat({
    id,
    messages: initial,
    resume: isAsked(initial), // the page was reloaded before the end of the answer
    transport,
    throttle: 50,
    onData: ({ type, data }) => {
      if (type === "data-status") setWork(data);
      if (type === "data-error") coded.current = data;
    },
    onError: (error) => {
      const failed = coded.current ?? failureOf(error);
      coded.current = undefined;
      if (failed.code === "network" && retries.current < maxRetries) {
        setTimeout(() => resume.current(), 250 * 2 ** retries.current++);
      }
      setFailure(failed);
    },
    onFinish: ({ isError }) => {
      if (!isError) {
        retries.current = 0;
        setFailure(undefined);
      }
    },
  });
  const { messages, status } = chat;
  const busy = status === "submitted" || status === "streaming";
  const resume = useRef();
  resume.current = () => {
    if (!busy) void chat.resumeStream();
  };
  const waits = useRef();
  waits.current = !busy && isAsked(messages);

  useEffect(() => {
    // What was loaded is not saved again: another tab may have saved more since.
    // A part of an answer is not saved, because a tab resumes after a question only.
    if ((!busy || isAsked(messages)) && messages !== initial) save(id, messages);
    if (!busy) setWork(undefined);
  }, [id, messages, initial, busy]);

  // Another tab has asked, or has received an answer.
  useEffect(
    () =>
      onSaved(id, (saved) => {
        if (busy || JSON.stringify(saved) === JSON.stringify(chat.messages)) return;
        chat.setMessages(saved);
        setFailure(undefined);
        if (isAsked(saved)) void follow();
      }),
    [id, busy, chat],
  );

  // The other tab saves a question before the server has it, so the answer may
  // not be there at first.
  const follow = async () => {
    for (let tries = 0; tries < maxRetries; tries++) {
      await chat.resumeStream();
      await new Promise((done) => setTimeout(done, 100 * 2 ** tries));
      if (!waits.current) return;
    }
  };
  const ask = (question) => {
    if (busy || !question.trim()) return;
    start();
    setText("");
    void chat.sendMessage({ text: question });
  };
  const again = () => {
    start();
    void chat.regenerate();
  };
  const start = () => {
    retries.current = 0;
    setFailure(undefined);
  };
  // The answer continues when a page is closed, so a stop is a request of its
  // own. It ends the answer in all tabs.
  const stop = async () => {
    const answer = messages.at(-1);
    const activeStreamId = answer?.role === "assistant" ? answer.id : undefined;
    await fetch(`/api/chat/${encodeURIComponent(id)}/stop`, {
      method: "POST",
      body: JSON.stringify({ activeStreamId }),
    }).catch((error) => setFailure(failureOf(error)));
  };

  const last = messages.at(-1);
  const options = last?.parts.find((part) => part.type === "data-options")?.data ?? [];
  const suggestions = messages.length === 0 ? beginnings : options.map((option) => [option, option]);

  return (
    <>
      <header>
        <h1>Parley</h1>
        <a className="button" href="/">
          New chat
        </a>
      </header>
      <main>
        <Scroll follow={messages}>
          {messages.length === 0 && (
            <div className="welcome">
              <h2>Ask something</h2>
              <p>The answer arrives word by word. Open this page in a second tab, or reload it in mid-answer.</p>
            </div>
          )}
          {messages.map((message, i) => (
            <Message
              key={message.id}
              message={message}
              streaming={busy && i === messages.length - 1}
              again={!busy && !failure && i === messages.length - 1 ? again : undefined}
            />
          ))}
          {status === "submitted" && (
            <p className="work" role="status">
              {work ? work.status : "sent"}
            </p>
          )}
          {failure && !busy && (
            <div className="failure" role="alert">
              <p>
                {failure.message} <code>{failure.code}</code>
              </p>
              {messages.length > 0 && <button onClick={again}>Ask again</button>}
            </div>
          )}
          {!failure && status === "ready" && isAsked(messages) && (
            <div className="failure">
              <p>This question has no answer.</p>
              <button onClick={again}>Ask again</button>
            </div>
          )}
        </Scroll>
      </main>
      <footer>
        {!busy && suggestions.length > 0 && (
          <ul className="suggestions" aria-label="Suggestions">
            {suggestions.map(([label, question]) => (
              <li key={label}>
                <button onClick={() => ask(question)}>{label}</button>
              </li>
            ))}
          </ul>
        )}
        <form
          onSubmit={(event) => {
            event.preventDefault();
            ask(text);
          }}
        >
          <textarea
            id="text"
            aria-label="Your message"
            placeholder="Your message"
            rows={1}
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Escape" && busy) void stop();
              if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
              event.preventDefault();
              ask(text);
            }}
          />
          {busy ? (
            <button id="stop" type="button" onClick={stop}>
              Stop
            </button>
          ) : (
            <button id="send" className="main" disabled={!text.trim()}>
              Send
            </button>
          )}
        </form>
      </footer>
    </>
  );
}

// Scroll shows its end while the reader has not scrolled up.
function Scroll({ follow, children }) {
  const box = useRef();
  const atEnd = useRef(true);
  const toEnd = () => {
    if (atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  };
  useEffect(toEnd, [follow, children]);
  useEffect(() => {
    const resized = new ResizeObserver(toEnd);
    resized.observe(box.current);
    return () => resized.disconnect();
  }, []);
  return (
    <div
      ref={box}
      className="messages"
      tabIndex={0}
      role="log"
      aria-label="Conversation"
      onScroll={({ target }) => {
        atEnd.current = target.scrollHeight - target.scrollTop - target.clientHeight < 40;
      }}
    >
      <div className="column">{children}</div>
    </div>
  );
}
