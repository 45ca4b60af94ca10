// Microsoft's Kusto parser and binder over [{name: text}, {table: columns}] from standard input:
// {name: {errors, columns: {name: type}, tree}}. A node of the tree is [kind, ...children], a token [kind, text].
require("@kusto/language-service-next/bridge.js"); // first: it defines the globals Bridge and System
require("@kusto/language-service-next/Kusto.Language.Bridge.js"); // defines the global Kusto

const { Language } = Kusto;
const list = (items, type) => System.Linq.Enumerable.from(items, type).ToArray();

function tree(node) {
  const kind = System.Enum.toString(Language.Syntax.SyntaxKind, node.Kind);
  const children = [];
  for (let i = 0; i < node.ChildCount; i++) {
    const child = node.GetChild(i);
    if (child && child.Width > 0) children.push(tree(child));
  }
  return [kind, ...(children.length ? children : [node.ToString(Language.Syntax.IncludeTrivia.None)])];
}

const [queries, tables] = JSON.parse(require("fs").readFileSync(0, "utf8"));
const symbols = Object.entries(tables).map(([name, columns]) => Language.Symbols.TableSymbol.From(columns).WithName(name));
const globals = Language.GlobalState.Default.WithDatabase(new Language.Symbols.DatabaseSymbol.ctor("workspace", symbols));
const parsed = {};
for (const [name, text] of Object.entries(queries)) {
  const code = Language.KustoCode.ParseAndAnalyze(text, globals);
  const columns = code.ResultType && code.ResultType.Columns ? list(code.ResultType.Columns, Language.Symbols.ColumnSymbol) : [];
  parsed[name] = {
    errors: list(code.GetDiagnostics(), Language.Diagnostic).map((told) => `${told.Code} at ${told.Start}: ${told.Message}`),
    columns: Object.fromEntries(columns.map((column) => [column.Name, column.Type.Name])),
    tree: tree(code.Syntax),
  };
}
process.stdout.write(JSON.stringify(parsed));
