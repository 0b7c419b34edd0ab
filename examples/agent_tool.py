"""A LlamaIndex agent with the query engine as a tool.

The agent's own model is scripted here, so that the example runs in seconds: it decides to ask the tool, then passes on
what it got. The tool's answers are quotes (``extractive``); both places take any LlamaIndex model.
"""

import asyncio

from llama_index.core.agent.workflow import ReActAgent
from llama_index.core.tools import QueryEngineTool
from papers import open_papers

from llama_index_medqa import MedQAQueryEngine
from llama_index_medqa.testing import ScriptedLLM

STEPS = [
    "Thought: I need the literature.\n"
    "Action: pubmed\n"
    'Action Input: {"input": "Does walking after meals lower blood glucose in type 2 diabetes?"}',
    "Thought: I can answer without using any more tools.\n"
    "Answer: Walking for 15 minutes after each meal lowered blood glucose by 12 mg/dL [PMID:103].",
]


async def main() -> None:
    """Asks the agent one question, and shows what the tool told it."""
    engine = MedQAQueryEngine.from_index(open_papers(), "extractive")
    tool = QueryEngineTool.from_defaults(
        engine, name="pubmed", description="Answers medical questions from PubMed, with PMIDs, or says that it cannot."
    )
    agent = ReActAgent(tools=[tool], llm=ScriptedLLM(STEPS))
    result = await agent.run("Does walking after meals help in diabetes?")
    for call in result.tool_calls:
        print(f"the tool said: {call.tool_output.content}")
        print(f"with {len(call.tool_output.raw_output.citations)} checked citation(s)")
    print(f"the agent said: {result.response.content}")


if __name__ == "__main__":
    asyncio.run(main())
