// Print what D2 reads as the label of each shape: node d2_labels.mjs PACKAGE < text
import fs from "node:fs";
const { D2 } = await import(process.argv[2]);
const read = await new D2().compile(fs.readFileSync(0, "utf8"));
console.log(JSON.stringify(read.diagram.shapes.map((each) => [each.id, each.label])));
process.exit(0);
