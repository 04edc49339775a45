// failureOf returns the code and the text of an error of useChat. A request that
// was refused has them as JSON in its text.
export function failureOf(error) {
  try {
    const { code, message } = JSON.parse(error.message).error;
    return { code, message };
  } catch {
    return { code: "network", message: "The connection to this service was lost." };
  }
}
