import { FIRST_OWN_OID, type TypePair } from "../catalog/mod.ts";
import { typeOidPlaces } from "../judge/mod.ts";
import { BIND, Framer, PARSE } from "../wire/mod.ts";
import { readBind } from "./bind.ts";

const framer = new Framer();

/**
 * Messages with the mirror's OIDs of own types in the place of the primary's:
 * the types that Parse declares, and those within binary values of Bind, which
 * servers before PostgreSQL 14 insist on (array_recv, record_recv). What the
 * servers have not both told of goes as it came.
 *
 * @returns `bytes` itself if there is nothing to replace; else a copy of equal length.
 */
export function withMirrorTypes(
  bytes: Uint8Array<ArrayBuffer>,
  types: TypePair,
): Uint8Array<ArrayBuffer> {
  if (!types.areMoved) return bytes;
  const view = viewOf(bytes);
  const moved = ownTypesIn(bytes).filter((at) => {
    const oid = view.getUint32(at);
    return (types.mirrorOid(oid) ?? oid) !== oid;
  });
  if (moved.length === 0) return bytes;
  const written = bytes.slice();
  const target = viewOf(written);
  for (const at of moved) {
    const oid = view.getUint32(at);
    target.setUint32(at, types.mirrorOid(oid) ?? oid);
  }
  return written;
}

/** Whether both servers have told of all own types in messages. */
export function areTypesKnown(bytes: Uint8Array, types: TypePair): boolean {
  const view = viewOf(bytes);
  return ownTypesIn(bytes).every((at) =>
    types.mirrorOid(view.getUint32(at)) !== undefined
  );
}

/** Where the OIDs of own types are in messages. */
function ownTypesIn(bytes: Uint8Array): readonly number[] {
  const places: number[] = [];
  framer.reset();
  for (let at = 0; at < bytes.length;) {
    at = framer.step(bytes, at, bytes.length);
    if (!framer.finished) break;
    const { type, bodyStart } = framer;
    if (type === PARSE) addDeclared(bytes, bodyStart, at, places);
    else if (type === BIND) addBound(bytes, bodyStart, at, places);
  }
  return places;
}

function addDeclared(
  bytes: Uint8Array,
  body: number,
  end: number,
  places: number[],
): void {
  const text = bytes.indexOf(0, body) + 1;
  const countAt = bytes.indexOf(0, text) + 1;
  if (text === 0 || countAt === 0 || countAt + 2 > end) return;
  const view = viewOf(bytes);
  const count = view.getUint16(countAt);
  if (countAt + 2 + 4 * count !== end) return;
  for (let at = countAt + 2; at < end; at += 4) {
    if (view.getUint32(at) >= FIRST_OWN_OID) places.push(at);
  }
}

function addBound(
  bytes: Uint8Array,
  body: number,
  end: number,
  places: number[],
): void {
  const bind = readBind(bytes, body, end);
  if (bind === undefined || bind.formats === 0) return;
  const view = viewOf(bytes);
  let at = bind.parametersAt + 2;
  for (let i = 0; i < bind.parameters; i++) {
    const format = view.getUint16(
      bind.formatsAt + 2 + 2 * (bind.formats === 1 ? 0 : i),
    );
    const size = Math.max(0, view.getInt32(at));
    at += 4;
    if (format === 1) {
      for (const place of typeOidPlaces(view, at, at + size)) {
        places.push(place);
      }
    }
    at += size;
  }
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}
