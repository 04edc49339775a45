import { memo } from "react";
import Markdown from "react-markdown";

// Message shows the parts of a message. Markdown becomes React elements, and HTML
// in it is shown as text.
export const Message = memo(function Message({ message, streaming, again }) {
  if (message.role === "user") {
    return (
      <article className="message user" aria-label="You">
        <div className="bubble">{message.parts.map((part) => part.text).join("")}</div>
      </article>
    );
  }
  const { messageId, usage } = message.metadata ?? {};
  return (
    <article className="message assistant" aria-label="Assistant" data-streaming={streaming || undefined}>
      {message.parts.map((part, i) => {
        switch (part.type) {
          case "text":
            return (
              <div className="text" key={i}>
                <Markdown components={{ a: Link, img: Image }}>{part.text}</Markdown>
              </div>
            );
          case "dynamic-tool":
            return <Tool key={i} part={part} />;
        }
      })}
      {!streaming && (
        <p className="under">
          {!messageId && <span className="stopped">incomplete</span>}
          {usage && <span>{usage.totalTokens} tokens</span>}
          {again && <button onClick={again}>Regenerate</button>}
        </p>
      )}
    </article>
  );
});

const states = {
  "input-streaming": "called",
  "input-available": "running",
  "output-available": "done",
  "output-error": "failed",
};

// Tool is the card of a tool call.
function Tool({ part }) {
  const json = (value) => JSON.stringify(value, null, 2);
  return (
    <details className="tool" data-state={part.state}>
      <summary>
        <span className="name">{part.toolName}</span>
        <span className="state">{states[part.state] ?? part.state}</span>
      </summary>
      <dl>
        <dt>Arguments</dt>
        <dd>
          <pre>{json(part.input)}</pre>
        </dd>
        {part.state === "output-available" && (
          <>
            <dt>Result</dt>
            <dd>
              <pre>{json(part.output)}</pre>
            </dd>
          </>
        )}
        {part.state === "output-error" && (
          <>
            <dt>Error</dt>
            <dd>
              <pre>{part.errorText}</pre>
            </dd>
          </>
        )}
      </dl>
    </details>
  );
}

function Link({ href, children }) {
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

// Image loads nothing, because the URL of an image can carry data to its server.
function Image({ alt }) {
  return <span>[{alt || "image"}]</span>;
}
