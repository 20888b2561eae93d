// Drives the official `openai` package for Node and prints what it got as one JSON object.
//   CLIENT_FOLDER  where it is installed
//   GATEWAY_URL    the gateway's root
//   SCENE          which of the functions below
const { createRequire } = require("node:module");
const { OpenAI } = createRequire(process.env.CLIENT_FOLDER + "/")("openai");

const client = new OpenAI({ baseURL: process.env.GATEWAY_URL + "/v1", apiKey: "freeride-local", maxRetries: 0 });
const messages = [{ role: "user", content: "Join these words with underscores and answer with only the result: ONE TWO" }];
const model = "auto";

const scenes = {
  async models() {
    const ids = [];
    for await (const each of client.models.list()) ids.push(each.id);
    return { ids, one: (await client.models.retrieve("@cf/baai/bge-m3")).id };
  },

  async completion() {
    const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
    return { text: data.choices[0].message.content, provider: response.headers.get("x-freeride-provider"), stamp: data._freeride_provider };
  },

  async stream() {
    const stream = await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } });
    let text = "", usage = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    return { text, tokens: usage.total_tokens };
  },

  async tools() {
    const asked = [];
    const get_weather = {
      type: "function",
      function: {
        name: "get_weather",
        description: "The weather of a city",
        parse: JSON.parse,
        function: async ({ city }) => (asked.push(city), "sunny, 21 C"),
        parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      },
    };
    const runner = client.chat.completions.runTools({
      model, messages: [{ role: "user", content: "Use get_weather for Paris" }], tools: [get_weather], stream: true,
    });
    return { text: await runner.finalContent(), asked };
  },

  async embeddings() {
    const input = ["one", "two"];
    const packed = await client.embeddings.create({ model: "@cf/baai/bge-m3", input });
    const plain = await client.embeddings.create({ model: "@cf/baai/bge-m3", input, encoding_format: "float" });
    const near = packed.data.every((row, i) => row.embedding.every((x, j) => Math.abs(x - plain.data[i].embedding[j]) < 1e-6));
    return { count: packed.data.length, size: packed.data[0].embedding.length, near };
  },

  // What it throws when asked for an answer, whole and streamed.
  async failure() {
    const told = [];
    for (const stream of [false, true]) {
      let text = "";
      try {
        const answer = await client.chat.completions.create({ model: process.env.MODEL ?? model, messages, stream });
        if (stream) for await (const chunk of answer) text += chunk.choices[0]?.delta?.content ?? "";
        told.push({ thrown: null });
      } catch (error) {
        const retryAfter = error.headers?.get("retry-after") ?? null;
        told.push({ thrown: error.constructor.name, status: error.status ?? null, code: error.code ?? null, retryAfter, text });
      }
    }
    return told;
  },
};

scenes[process.env.SCENE]().then((result) => console.log(JSON.stringify(result)));
