BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE alias_history (
	id INTEGER NOT NULL, 
	skill_id INTEGER NOT NULL, 
	alias VARCHAR(64) NOT NULL, 
	from_version INTEGER, 
	to_version INTEGER, 
	at DATETIME NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	CONSTRAINT pk_alias_history PRIMARY KEY (id), 
	CONSTRAINT fk_alias_history_skill_id FOREIGN KEY(skill_id) REFERENCES skills (id)
);
INSERT INTO "alias_history" VALUES(1,1,'live',NULL,1,'2026-11-21 14:14:59.951055','promote');
INSERT INTO "alias_history" VALUES(2,1,'live',1,2,'2026-11-21 14:14:59.966846','promote');
INSERT INTO "alias_history" VALUES(3,1,'candidate',NULL,3,'2026-11-21 14:14:59.971945','promote');
INSERT INTO "alias_history" VALUES(4,1,'live',2,1,'2026-11-21 14:14:59.975290','rollback');
INSERT INTO "alias_history" VALUES(5,2,'live',NULL,1,'2026-11-21 14:14:59.979560','promote');
INSERT INTO "alias_history" VALUES(6,3,'live',NULL,1,'2026-11-21 14:14:59.983036','promote');
INSERT INTO "alias_history" VALUES(7,3,'live',1,NULL,'2026-11-21 14:14:59.986793','delete');
CREATE TABLE blobs (
	sha256 VARCHAR(64) NOT NULL, 
	size INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT pk_blobs PRIMARY KEY (sha256)
);
INSERT INTO "blobs" VALUES('7dedc6c820c2beaa5670681e28854cb45e8dfec1c87f73182b3e2fcad76d1b6d',13,X'66697273742074656E736F7273');
INSERT INTO "blobs" VALUES('44730aed8b09f5e701afc309ec5b099a0aa94f14f63d211c4ba66d50fb7d8343',14,X'7365636F6E642074656E736F7273');
INSERT INTO "blobs" VALUES('843da5223e3bad892d26e98930a9e5fa197467c124cefb4069e5c3fc27c7f7d9',13,X'74686972642074656E736F7273');
INSERT INTO "blobs" VALUES('fc11d6f28e59d3cc33c0b14ceb644bf0902ebd63d61218dffe9e7dac7c254542',10,X'78787878787878787878');
CREATE TABLE catalog_state (
	id INTEGER NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_catalog_state PRIMARY KEY (id), 
	CONSTRAINT ck_catalog_state_one_row CHECK (id = 1)
);
INSERT INTO "catalog_state" VALUES(1,7);
CREATE TABLE skill_aliases (
	skill_id INTEGER NOT NULL, 
	alias VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_skill_aliases PRIMARY KEY (skill_id, alias), 
	CONSTRAINT fk_skill_aliases_skill_id_version FOREIGN KEY(skill_id, version) REFERENCES skill_versions (skill_id, number)
);
INSERT INTO "skill_aliases" VALUES(1,'live',1);
INSERT INTO "skill_aliases" VALUES(1,'candidate',3);
INSERT INTO "skill_aliases" VALUES(2,'live',1);
CREATE TABLE skill_versions (
	skill_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	method VARCHAR(32) NOT NULL, 
	labels JSON NOT NULL, 
	backbone VARCHAR(64) NOT NULL, 
	head JSON NOT NULL, 
	calibration JSON NOT NULL, 
	metrics JSON NOT NULL, 
	provenance JSON NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_skill_versions PRIMARY KEY (skill_id, number), 
	CONSTRAINT fk_skill_versions_skill_id FOREIGN KEY(skill_id) REFERENCES skills (id), 
	CONSTRAINT fk_skill_versions_sha256 FOREIGN KEY(sha256) REFERENCES blobs (sha256)
);
INSERT INTO "skill_versions" VALUES(1,1,'deep-prompt','["check_balance", "freeze_card"]','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','{"scale": 20.0, "lexical_weight": 0.5}','{"temperature": 0.7, "scope_weight": 1.5, "scope_bias": -0.25, "scope_threshold": 0.4, "ambiguity_margin": 0.1}','{"accuracy": 0.875}','{"data_sha256": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "rows": 20, "seed": 7, "config": {"epochs": 12}, "code_version": "0.1.0", "seconds": 31.5}','7dedc6c820c2beaa5670681e28854cb45e8dfec1c87f73182b3e2fcad76d1b6d','2026-11-21 14:14:59.951055');
INSERT INTO "skill_versions" VALUES(1,2,'deep-prompt','["check_balance", "freeze_card"]','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','{"scale": 20.0, "lexical_weight": 0.5}','{"temperature": 0.7, "scope_weight": 1.5, "scope_bias": -0.25, "scope_threshold": 0.4, "ambiguity_margin": 0.1}','{"accuracy": 0.875}','{"data_sha256": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "rows": 20, "seed": 7, "config": {"epochs": 12}, "code_version": "0.1.0", "seconds": 31.5}','44730aed8b09f5e701afc309ec5b099a0aa94f14f63d211c4ba66d50fb7d8343','2026-11-21 14:14:59.966846');
INSERT INTO "skill_versions" VALUES(1,3,'deep-prompt','["check_balance", "freeze_card"]','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','{"scale": 20.0, "lexical_weight": 0.5}','{"temperature": 0.7, "scope_weight": 1.5, "scope_bias": -0.25, "scope_threshold": 0.4, "ambiguity_margin": 0.1}','{"accuracy": 0.875}','{"data_sha256": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "rows": 20, "seed": 7, "config": {"epochs": 12}, "code_version": "0.1.0", "seconds": 31.5}','843da5223e3bad892d26e98930a9e5fa197467c124cefb4069e5c3fc27c7f7d9','2026-11-21 14:14:59.971945');
INSERT INTO "skill_versions" VALUES(2,1,'deep-prompt','["check_balance", "freeze_card"]','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','{"scale": 20.0, "lexical_weight": 0.5}','{"temperature": 0.7, "scope_weight": 1.5, "scope_bias": -0.25, "scope_threshold": 0.4, "ambiguity_margin": 0.1}','{"accuracy": 0.875}','{"data_sha256": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "rows": 20, "seed": 7, "config": {"epochs": 12}, "code_version": "0.1.0", "seconds": 31.5}','7dedc6c820c2beaa5670681e28854cb45e8dfec1c87f73182b3e2fcad76d1b6d','2026-11-21 14:14:59.979560');
INSERT INTO "skill_versions" VALUES(3,1,'deep-prompt','["check_balance", "freeze_card"]','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','{"scale": 20.0, "lexical_weight": 0.5}','{"temperature": 0.7, "scope_weight": 1.5, "scope_bias": -0.25, "scope_threshold": 0.4, "ambiguity_margin": 0.1}','{"accuracy": 0.875}','{"data_sha256": "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd", "rows": 20, "seed": 7, "config": {"epochs": 12}, "code_version": "0.1.0", "seconds": 31.5}','fc11d6f28e59d3cc33c0b14ceb644bf0902ebd63d61218dffe9e7dac7c254542','2026-11-21 14:14:59.983036');
CREATE TABLE skills (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	created_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_skills PRIMARY KEY (id), 
	CONSTRAINT uq_skills_name UNIQUE (name)
);
INSERT INTO "skills" VALUES(1,'banking','intent','2026-11-21 14:14:59.951055',NULL);
INSERT INTO "skills" VALUES(2,'travel','intent','2026-11-21 14:14:59.979560',NULL);
INSERT INTO "skills" VALUES(3,'old','intent','2026-11-21 14:14:59.983036','2026-11-21 14:14:59.986793');
CREATE INDEX ix_alias_history_skill_id_alias ON alias_history (skill_id, alias);
COMMIT;
